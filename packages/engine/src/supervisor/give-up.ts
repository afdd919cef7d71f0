/** How often resuming a run has failed, and what follows. Read from the run's own log, so that a supervisor that was killed, and one
 *  in another process, come to the same answer.
 *  G1. Failures count while nothing happens between them; any step forward, or a person's hand, starts the count anew.
 *  G2. The wait doubles with every failure; after the last one the run is given up. */
import type { ErrorInfo, StoredEvent } from "../run/events.ts";

export interface GiveUpPolicy {
  readonly maxFailures: number;
  readonly firstWaitMs: number;
  readonly maxWaitMs: number;
}

/** About four minutes: long enough for a machine that is still getting ready. */
export const GIVE_UP: GiveUpPolicy = { maxFailures: 8, firstWaitMs: 2_000, maxWaitMs: 60_000 };

export type Verdict =
  | { readonly kind: "resume" }
  | { readonly kind: "wait"; readonly untilMs: number }
  | { readonly kind: "give-up"; readonly failures: number; readonly error: ErrorInfo };

export function judge(events: readonly StoredEvent[], nowMs: number, policy: GiveUpPolicy = GIVE_UP): Verdict {
  const failures = failuresSinceProgress(events);
  const last = failures.at(-1);
  if (!last) return { kind: "resume" };
  if (failures.length >= policy.maxFailures) return { kind: "give-up", failures: failures.length, error: last.error };
  const untilMs = last.atMs + Math.min(policy.maxWaitMs, policy.firstWaitMs * 2 ** (failures.length - 1)); // G2
  return nowMs < untilMs ? { kind: "wait", untilMs } : { kind: "resume" };
}

/** Whether the owner of this epoch died without a step forward, and nobody has written that down yet. */
export const diedInVain = (events: readonly StoredEvent[], epoch: number): boolean =>
  !progressSinceClaim(events) &&
  !failuresSinceProgress(events).some((event) => event.how === "died" && event.epoch === epoch);

type Failure = Extract<StoredEvent, { type: "run.resume-failed" }>;

/** G1. Two supervisors may both note the same death. */
function failuresSinceProgress(events: readonly StoredEvent[]): readonly Failure[] {
  const since = events.slice(events.findLastIndex(isProgress) + 1);
  const failures = since.filter((event) => event.type === "run.resume-failed");
  return failures.filter(
    (event, at) =>
      event.how === "refused" ||
      failures.findIndex((other) => other.how === "died" && other.epoch === event.epoch) === at,
  );
}

function progressSinceClaim(events: readonly StoredEvent[]): boolean {
  const claimed = events.findLastIndex((event) => event.type === "run.claimed");
  return events.slice(claimed + 1).some(isProgress);
}

/** Taking a run up and starting its bodies is no step forward yet. Giving up hands it to a person, whose resume counts from zero. */
const NO_PROGRESS: ReadonlySet<StoredEvent["type"]> = new Set([
  "run.started",
  "run.claimed",
  "run.resume-failed",
  "node.started",
  "vcs.pointer",
  "memory.recalled",
]);
const isProgress = ({ type }: StoredEvent): boolean => !NO_PROGRESS.has(type);
