import type { ReactElement, ReactNode } from "react";
import { HOST } from "@smooth/engine/elements";
import { React } from "@smooth/engine/react";
import { LoopScope } from "@smooth/engine/scope";
import { host } from "./host.ts";

export interface LoopProps {
  /** Named after its place in the tree when absent, with a warning. */
  readonly id?: string;
  readonly until?: boolean;
  /** Default 5. */
  readonly maxIterations?: number;
  readonly onMaxReached?: "fail" | "return-last";
  /** Go on in a new run after every so many iterations, so that no history grows without bound. */
  readonly continueAsNewEvery?: number;
  readonly skipIf?: boolean;
  readonly children?: ReactNode;
}

/** Again and again, until `until`. */
export function Loop({ skipIf, children, ...props }: LoopProps): ReactElement | null {
  const chain = React.useContext(LoopScope);
  if (skipIf) return null;
  const scope = props.id === undefined ? chain : [...chain, props.id];
  return host(HOST.loop, props, host(LoopScope, { value: scope }, children));
}

/** The older name of Loop. */
export const Ralph = (props: LoopProps): ReactElement | null => Loop(props);
