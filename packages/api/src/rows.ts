import type { Db } from "@smooth/db/client";
import { Ask } from "@smooth/protocol/asks";
import { HostStatus, type RunSummary } from "@smooth/protocol/gateway";
import type { PearlId, RunId } from "@smooth/protocol/ids";
import { Dependency, type NewPearl, type Pearl, type PearlChange, type PearlComment } from "@smooth/protocol/pearls";
import { RunEvent } from "@smooth/protocol/run-events";

/** From rows to the shapes of @smooth/protocol, and back. */

type Row<Model extends "pearl" | "comment" | "change" | "dependency" | "run" | "runEvent" | "ask" | "host"> =
  NonNullable<Awaited<ReturnType<Db[Model]["findFirst"]>>>;
export type PearlRow = Row<"pearl">;
export type RunRow = Row<"run">;
export type AskRow = Row<"ask">;
export type HostRow = Row<"host">;

export function pearlOf(row: PearlRow): Pearl {
  const { title, description, status, priority, type, labels, repo, verify, budgetUsd } = row;
  const { createdAtMs, updatedAtMs, closedAtMs } = row;
  const words = { title, description, status, priority, type, labels, repo, verify, budgetUsd };
  return { id: row.id as PearlId, ...words, createdAtMs, updatedAtMs, closedAtMs };
}

/** A pearl that nobody has worked on yet. */
export function freshPearl(input: NewPearl, id: PearlId, atMs: number): Pearl {
  return { ...input, id, status: "open", createdAtMs: atMs, updatedAtMs: atMs, closedAtMs: null };
}

export const commentOf = ({ id, pearlId, author, body, atMs }: Row<"comment">): PearlComment => ({
  id,
  pearlId: pearlId as PearlId,
  author,
  body,
  atMs,
});

export const changeOf = ({ pearlId, field, before, after, by, atMs }: Row<"change">): PearlChange => ({
  pearlId: pearlId as PearlId,
  field,
  before,
  after,
  by,
  atMs,
});

export const dependencyOf = ({ fromId, toId, type }: Row<"dependency">): Dependency =>
  Dependency.parse({ from: fromId, to: toId, type });

export function runSummaryOf(row: RunRow, pendingAsks: number): RunSummary {
  const { title, workflow, status, reason, demo, costUsd, startedAtMs, updatedAtMs, lastSeq } = row;
  const ids = { runId: row.id as RunId, pearlId: row.pearlId as PearlId | null };
  return { ...ids, title, workflow, status, reason, demo, pendingAsks, costUsd, startedAtMs, updatedAtMs, lastSeq };
}

export const eventOf = ({ body }: Pick<Row<"runEvent">, "body">): RunEvent => RunEvent.parse(JSON.parse(body));

/** A3. A pending ask whose time is over is shown as expired, whether or not the host has said so yet. */
export function askOf(row: AskRow, nowMs: number): Ask {
  const ask = Ask.parse(JSON.parse(row.body));
  if (ask.status !== "pending" || ask.expiresAtMs === null || ask.expiresAtMs > nowMs) return ask;
  return { ...ask, status: "expired", expiredAtMs: ask.expiresAtMs };
}

export function hostStatusOf({ status }: Pick<HostRow, "status">): HostStatus | null {
  return status === null ? null : HostStatus.parse(JSON.parse(status));
}
