import type { ReactElement } from "react";
import { HOST } from "@smooth/engine/elements";
import { host } from "./host.ts";

export interface ContinueAsNewProps {
  /** JSON, at most 10 MB; the next run finds it as `ctx.input.__smithersContinuation.payload`. */
  readonly state?: unknown;
}

/** Ends the run once it is reached, and begins a new one of the same workflow. */
export const ContinueAsNew = (props: ContinueAsNewProps): ReactElement => host(HOST.continueAsNew, props);

export const continueAsNew = (state?: unknown): ReactElement => host(ContinueAsNew, { state });
