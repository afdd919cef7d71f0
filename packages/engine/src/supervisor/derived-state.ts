/** How a run is doing as far as anybody can tell from its row: what lists and dashboards show.
 *  V1. What ended, ended: its recorded status stands.
 *  V2. What this version does not know is `unknown`, never success.
 *  V3. A run that should move and has no living owner is `recovering` while a supervisor will take it up, `orphaned` when none will. */
import { RunStatus } from "../run/events.ts";
import { mayClaim, type OwnerCheck } from "../run/ownership.ts";
import type { RunRow } from "../store/port.ts";

export type DerivedState = RunStatus | "recovering" | "stale" | "orphaned" | "unknown";

export interface StateCheck extends OwnerCheck {
  /** Whether a supervisor looks after this store. */
  readonly supervised: boolean;
}

/** An owner that is alive and silent for longer than this hangs. */
const STALE_MS = 30_000;

type Row = Omit<RunRow, "status"> & { readonly status: string };

export function derivedState(row: Row, check: StateCheck): DerivedState {
  const known = RunStatus.safeParse(row.status);
  if (!known.success) return "unknown"; // V2
  const status = known.data;
  const run = { ...row, status };
  const claim = mayClaim(run, check);
  if (claim === "over" || status === "paused") return status; // V1
  if (claim === "owner-alive") return check.nowMs - row.heartbeatAtMs > STALE_MS ? "stale" : status;
  if (row.error?.code === "AUTO_RESUME_GAVE_UP") return "orphaned";
  const should = status === "running" || (row.wakeAtMs !== null && row.wakeAtMs <= check.nowMs);
  if (!should) return status;
  return check.supervised ? "recovering" : "orphaned"; // V3
}
