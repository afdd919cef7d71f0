import type { PearlId } from "@smooth/protocol/ids";
import type { Dependency, NewPearl, Pearl, PearlChange, PearlComment, PearlStatus } from "@smooth/protocol/pearls";

/** The pearls of one host.
 *  P1. Every change of a field is one history row with the value it really had before; no change, no row.
 *  P2. Comments and descriptions come back byte for byte.
 *  P3. A fact is recorded in the transaction that makes it true (the outbox to the dashboard hangs here).
 *  Throws SmoothError: PEARL_NOT_FOUND, PEARL_CYCLE, CONFLICT, INVALID_INPUT. */
export interface PearlStore {
  /** With `id` (chosen by the dashboard) a repeat returns what is there. */
  create(input: NewPearl, by: string, id?: PearlId): Pearl;
  /** Takes in a pearl made elsewhere; what this host already knows is kept. */
  adopt(pearl: Pearl, by: string): Pearl;
  get(id: PearlId): Pearl;
  /** By priority, then age. */
  list(filter: PearlFilter): Pearl[];
  /** `note`, when not empty, becomes a comment of the same moment. */
  change(id: PearlId, patch: PearlPatch, stamp: { readonly by: string; readonly note?: string }): Pearl;
  /** With `id` a repeat returns what is there. */
  comment(id: PearlId, comment: { readonly by: string; readonly body: string; readonly id?: string }): PearlComment;
  /** A repeat changes nothing. */
  link(dependency: Dependency): void;
  detail(id: PearlId): PearlFile;
  /** What an operator on this pearl may see: itself and two dependencies deep. */
  closure(id: PearlId): Pearl[];
}

export interface PearlFilter {
  readonly status?: PearlStatus | undefined;
  readonly ready: boolean;
  readonly limit: number;
}

export type PearlPatch = Partial<Omit<Pearl, "id" | "createdAtMs" | "updatedAtMs" | "closedAtMs">>;

export interface PearlFile {
  readonly pearl: Pearl;
  readonly comments: PearlComment[];
  readonly history: PearlChange[];
  readonly dependencies: Dependency[];
  readonly blockedBy: PearlId[];
}

/** The same shapes as the records of host-sync. */
export type PearlFact =
  | { readonly kind: "pearl"; readonly pearl: Pearl; readonly by: string }
  | { readonly kind: "pearl.change"; readonly change: PearlChange }
  | { readonly kind: "pearl.comment"; readonly comment: PearlComment }
  | { readonly kind: "pearl.dependency"; readonly dependency: Dependency };
