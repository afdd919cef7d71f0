/** Who may take a run over. Pure; the compare-and-swap in the store makes it safe.
 *  O1. A dead process of this host is replaced at once; a process of another host only when its lease has run out. */
import { OVER } from "./events.ts";
import type { Owner, RunRow } from "../store/port.ts";

const LEASE_MS = 20_000;

export interface OwnerCheck {
  /** Whether that process of this host still lives (same boot, same pid, same start time). */
  readonly isAlive: (owner: Owner) => boolean;
  readonly host: string;
  readonly nowMs: number;
}

export function mayClaim(row: RunRow, { isAlive, host, nowMs }: OwnerCheck): "yes" | "over" | "owner-alive" {
  if (OVER.has(row.status)) return "over";
  if (row.owner === null) return "yes";
  const gone = row.owner.host === host ? !isAlive(row.owner) : nowMs - row.heartbeatAtMs > LEASE_MS;
  return gone ? "yes" : "owner-alive";
}
