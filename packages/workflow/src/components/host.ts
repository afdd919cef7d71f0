/** How a component asks for a host element, and the props that every node has. */
import type { ReactElement, ReactNode } from "react";
import type { z } from "zod";
import type { JsonValue } from "@smooth/engine/json";
import { React } from "@smooth/engine/react";

export const host = React.createElement as (
  type: unknown,
  props: object | null,
  ...children: ReactNode[]
) => ReactElement;

/** Where a row goes: a ref from `outputs`, its schema, or its name. */
export type OutputTarget = z.ZodObject | string;

export interface PlaceProps {
  readonly id: string;
  readonly dependsOn?: readonly string[];
  /** Name in `deps` → node id, where they differ. */
  readonly needs?: Readonly<Record<string, string>>;
  readonly skipIf?: boolean;
  readonly label?: string;
  readonly meta?: Readonly<Record<string, JsonValue>>;
}

export interface NodeProps<O extends OutputTarget> extends PlaceProps {
  readonly output: O;
  readonly outputSchema?: z.ZodObject;
  readonly continueOnFail?: boolean;
}
