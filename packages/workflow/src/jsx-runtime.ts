/** What `jsxImportSource` resolves to: React's own runtime, in the same build as the engine's React. */
import type * as React from "react";
import { JsxRuntime, React as EngineReact } from "@smooth/engine/react";

export const { jsx, jsxs, Fragment } = JsxRuntime;

/** The development transform passes more; the engine needs none of it. */
export const jsxDEV = (type: React.ElementType, props: unknown, key?: React.Key): React.ReactElement =>
  jsx(type, props, key);

/** For workflows in plain .ts files: `h(Task, { id, output, children })`. */
export const h: typeof React.createElement = EngineReact.createElement;

export type { JSX } from "react";
