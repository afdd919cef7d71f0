/** Which runs are forgotten. Pure.
 *  N1. Only what ended is forgotten, and never what a run that stays was forked from, continues, or is part of; nor what is part of
 *      a run that goes on, which may not have read its result yet and would do it again.
 *  N2. The plan says exactly what would go, and why.
 *  N3. A quota counts everything and takes, oldest first, as many as it must of those that may go; payloads that several runs
 *      share are freed with the last of them. */
import { checkNumber } from "@smooth/protocol/numbers";
import { OVER } from "../run/events.ts";
import type { RunRow, RunSize } from "../store/port.ts";

export interface GcPolicy {
  /** Ended longer ago than this: may go. */
  readonly maxAgeMs?: number | undefined;
  /** Of those that are over, only so many stay. */
  readonly keepNewest?: number | undefined;
  /** Of all runs together, with their payloads. */
  readonly maxBytes?: number | undefined;
}

export interface GcPlan {
  readonly remove: readonly { readonly runId: string; readonly because: Because }[];
  /** What should go by the policy, but is needed. */
  readonly needed: readonly { readonly runId: string; readonly by: string }[];
}

type Because = "age" | "count" | "bytes";
type Run = Pick<RunRow, "runId" | "status" | "owner" | "updatedAtMs" | "forkedFrom" | "parent">;

export interface GcFacts {
  readonly runs: readonly Run[];
  readonly nowMs: number;
  /** For a quota: of all runs of the store, and of the payloads by their names. */
  readonly sizes?: readonly RunSize[] | undefined;
  readonly payloadBytes?: ReadonlyMap<string, number> | undefined;
}

/** Throws INVALID_INPUT. */
export function planGc(facts: GcFacts, policy: GcPolicy): GcPlan {
  checkPolicy(policy);
  const { maxAgeMs = Infinity, keepNewest = Infinity, maxBytes } = policy;
  const awaited = belowLive(facts.runs);
  const over = facts.runs
    .filter((run) => OVER.has(run.status) && run.owner === null && !awaited.has(run.runId)) // N1
    .toSorted((a, b) => b.updatedAtMs - a.updatedAtMs);
  const reasons = new Map<string, Because>();
  for (const [at, { runId, updatedAtMs }] of over.entries()) {
    if (facts.nowMs - updatedAtMs > maxAgeMs) reasons.set(runId, "age");
    else if (at >= keepNewest) reasons.set(runId, "count");
  }
  const needed = keepNeeded(facts.runs, reasons);
  if (maxBytes !== undefined) fitQuota({ ...facts, runs: over }, { reasons, family: facts.runs, maxBytes });
  return {
    remove: [...reasons].map(([runId, because]) => ({ runId, because })),
    needed: [...needed].map(([runId, by]) => ({ runId, by })),
  };
}

/** A limit that cannot be meant would forget everything, or nothing for ever. */
function checkPolicy({ maxAgeMs, keepNewest, maxBytes }: GcPolicy): void {
  const limit = { least: 0, orInfinity: true };
  checkNumber("maxAgeMs of a retention policy", maxAgeMs, limit);
  checkNumber("keepNewest of a retention policy", keepNewest, { ...limit, whole: true });
  checkNumber("maxBytes of a retention policy", maxBytes, limit);
}

/** The subflows of runs that go on, theirs, and what they continued as. */
function belowLive(runs: readonly Run[]): ReadonlySet<string> {
  const children = Map.groupBy(runs, ({ parent }) => parent?.runId);
  const live = runs.filter(({ status }) => !OVER.has(status));
  const below = new Set(live.flatMap(({ runId }) => children.get(runId) ?? []));
  for (const run of below) for (const child of children.get(run.runId) ?? []) below.add(child); // grows while it is walked
  return new Set([...below].map(({ runId }) => runId));
}

/** What a run cannot be understood without. */
const ancestors = ({ forkedFrom, parent }: Run): readonly string[] =>
  [forkedFrom?.runId, parent?.runId].filter((runId) => runId !== undefined);

/** N1. Takes back the reasons of what is needed. */
function keepNeeded(runs: readonly Run[], reasons: Map<string, Because>): ReadonlyMap<string, string> {
  const needed = new Map<string, string>();
  const byId = new Map(runs.map((run) => [run.runId, run]));
  const staying = runs.filter(({ runId }) => !reasons.has(runId));
  for (const run of staying)
    // Grows while it is walked.
    for (const other of ancestors(run)) {
      if (!reasons.delete(other)) continue;
      needed.set(other, run.runId);
      staying.push(...[byId.get(other)].filter((found) => found !== undefined));
    }
  return needed;
}

interface Quota {
  readonly reasons: Map<string, Because>;
  /** All runs, also those that may not go. */
  readonly family: readonly Run[];
  readonly maxBytes: number;
}

/** N3. A run goes when nothing that stays needs it; with it, what it alone had needed may go. */
function fitQuota(facts: GcFacts, { reasons, family, maxBytes }: Quota): void {
  const left = usage(facts);
  const needing = new Map<string, number>();
  for (const run of family)
    if (!reasons.has(run.runId)) for (const other of ancestors(run)) needing.set(other, (needing.get(other) ?? 0) + 1);
  for (const runId of reasons.keys()) left.free(runId);
  const mayGo = new Map(facts.runs.toReversed().map((run) => [run.runId, run]));
  const go = (run: Run): void => {
    if (left.bytes() <= maxBytes || reasons.has(run.runId) || (needing.get(run.runId) ?? 0) > 0) return;
    reasons.set(run.runId, "bytes");
    left.free(run.runId);
    for (const other of ancestors(run)) {
      needing.set(other, (needing.get(other) ?? 0) - 1);
      const freed = mayGo.get(other);
      if (freed) go(freed);
    }
  };
  for (const run of mayGo.values()) go(run);
}

/** What is used, and less with every run that is freed. */
function usage({ sizes = [], payloadBytes = new Map() }: GcFacts): { bytes(): number; free(runId: string): void } {
  const sizeOf = new Map(sizes.map((size) => [size.runId, size]));
  const users = new Map<string, number>();
  for (const { blobs } of sizes) for (const blob of blobs) users.set(blob, (users.get(blob) ?? 0) + 1);
  let total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const blob of users.keys()) total += payloadBytes.get(blob) ?? 0;
  return {
    bytes: () => total,
    free(runId) {
      const { bytes = 0, blobs = [] } = sizeOf.get(runId) ?? {};
      total -= bytes;
      for (const blob of blobs) {
        const rest = (users.get(blob) ?? 0) - 1;
        users.set(blob, rest);
        if (rest === 0) total -= payloadBytes.get(blob) ?? 0;
      }
    },
  };
}
