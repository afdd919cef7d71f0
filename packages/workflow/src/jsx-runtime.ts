/** What `jsxImportSource` resolves to: React's own runtime, in the same build as the engine's React. */
import type * as React from "react";
import { JsxRuntime, React as EngineReact } from "@smooth/engine/react";

export const { jsx, jsxs, Fragment } = JsxRuntime;

/** The development transform also says whether the children are static; positions in the source it says in vain. */
export const jsxDEV = (
  ...[type, props, key, isStatic]: [React.ElementType, unknown, React.Key | undefined, boolean]
): React.ReactElement => (isStatic ? jsxs : jsx)(type, props, key);

/** For workflows in plain .ts files: `h(Task, { id, output, children })`. */
export const h: typeof React.createElement = EngineReact.createElement;

export type { JSX } from "react";
