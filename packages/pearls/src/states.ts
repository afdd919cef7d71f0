import { SmoothError } from "@smooth/protocol/errors";
import type { PearlStatus } from "@smooth/protocol/pearls";

/** Which status may follow which. A closed pearl is reopened before it is worked on again.
 *
 *  open ⇄ in_progress · open ⇄ deferred · deferred → in_progress · any → closed · closed → open */
const NEXT: Readonly<Record<PearlStatus, readonly PearlStatus[]>> = {
  open: ["in_progress", "deferred", "closed"],
  in_progress: ["open", "deferred", "closed"],
  deferred: ["open", "in_progress", "closed"],
  closed: ["open"],
};

/** Staying where it is is always allowed, and changes nothing. */
export function assertMove(id: string, from: PearlStatus, to: PearlStatus): void {
  if (from === to || NEXT[from].includes(to)) return;
  throw new SmoothError(
    "CONFLICT",
    `${id} is ${from} and cannot become ${to}; first make it ${NEXT[from].join(" or ")}`,
    {
      details: { id, from, to },
    },
  );
}
