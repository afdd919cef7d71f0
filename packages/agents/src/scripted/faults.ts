import type { History } from "./history.ts";

/** Misbehaviour as data: at which turn, what, how often. */
export interface Fault {
  /** Assistant messages in the request; any when absent. */
  readonly atTurn?: number;
  readonly times: number;
  readonly what:
    | { readonly kind: "status"; readonly status: number; readonly retryAfterSeconds?: number }
    /** The connection ends after this many chunks. */
    | { readonly kind: "cut"; readonly afterChunks: number }
    | { readonly kind: "slow"; readonly chunkMs: number }
    | { readonly kind: "garbage-args" };
}

/** Counts what was used up: the one memory a scripted server has. */
export function faultQueue(faults: readonly Fault[]): (history: History) => Fault["what"] | null {
  const left = faults.map((fault) => ({ ...fault }));
  return ({ turns }) => {
    const next = left.find((fault) => fault.times > 0 && (fault.atTurn === undefined || fault.atTurn === turns));
    if (!next) return null;
    next.times -= 1;
    return next.what;
  };
}
