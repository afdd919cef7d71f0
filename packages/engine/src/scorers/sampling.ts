/** Which results are scored. The answer follows from the run, the node, the iteration and the scorer alone: a replay gives the same one. */
import { stateKey, type NodeRef } from "../graph/identity.ts";
import type { SamplingConfig } from "./scorer.ts";

export interface SamplingCase extends NodeRef {
  readonly runId: string;
  /** The scorer's name in the task's map. */
  readonly scorer: string;
}

export function isSampled(sampling: SamplingConfig | undefined, given: SamplingCase): boolean {
  switch (sampling?.type) {
    case undefined:
    case "all":
      return true;
    case "none":
      return false;
    case "ratio":
      return fraction(`${given.runId}\n${stateKey(given)}\n${given.scorer}`) < sampling.rate;
  }
}

/** FNV-1a with a final mix, as a number in [0, 1). */
function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000;
}
