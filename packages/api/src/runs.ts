import type { Db, Tx } from "@smooth/db/client";
import { SmoothError } from "@smooth/protocol/errors";
import type { RunSummary } from "@smooth/protocol/gateway";
import type { RunEvent } from "@smooth/protocol/run-events";
import { pulses, topics } from "./bus.ts";
import { assertStillMember, type MemberContext } from "./context.ts";
import { presenceOf, type HostPresence } from "./hosts.ts";
import { eventOf, runSummaryOf, type RunRow } from "./rows.ts";

/** Reading runs: summaries for lists, events for one.
 *  F1. `followRun` yields every event after `afterSeq` once, in order, then live ones; it ends when the reader leaves or may no longer see. */

const PAGE = 500;
const POLL_MS = 4_000;

export interface RunCard extends RunSummary {
  readonly host: { readonly hostId: string; readonly name: string; readonly presence: HostPresence };
}

export async function findRun(tx: Tx, orgId: string, runId: string): Promise<RunRow> {
  const run = await tx.run.findUnique({ where: { orgId_id: { orgId, id: runId } } });
  if (!run) throw new SmoothError("RUN_NOT_FOUND", `no run ${runId}`, { details: { runId } });
  return run;
}

export async function cardsOf({ db, org, clock }: MemberContext, rows: readonly RunRow[]): Promise<RunCard[]> {
  const [hosts, asks] = await Promise.all([
    db.host.findMany({ where: { orgId: org.id } }),
    pendingAskCounts(db, org.id, { runIds: rows.map(({ id }) => id), nowMs: clock.now() }),
  ]);
  const byId = new Map(hosts.map((host) => [host.id, host]));
  return rows.map((row) => {
    const host = byId.get(row.hostId);
    const presence = host ? presenceOf(host, clock.now()) : { kind: "offline" as const, sinceMs: null };
    return {
      ...runSummaryOf(row, asks.get(row.id) ?? 0),
      host: { hostId: row.hostId, name: host?.name ?? row.hostId, presence },
    };
  });
}

async function pendingAskCounts(
  db: Db,
  orgId: string,
  { runIds, nowMs }: { runIds: string[]; nowMs: number },
): Promise<Map<string, number>> {
  const groups = await db.ask.groupBy({
    by: ["runId"],
    where: { orgId, runId: { in: runIds }, ...stillPending(nowMs) },
    _count: { _all: true },
  });
  return new Map(groups.map(({ runId, _count }) => [runId, _count._all]));
}

/** What waits for a human now. */
export const stillPending = (nowMs: number) => ({
  status: "pending" as const,
  OR: [{ expiresAtMs: null }, { expiresAtMs: { gt: nowMs } }],
});

export async function eventsAfter(
  db: Db,
  run: { orgId: string; runId: string },
  { afterSeq, limit = PAGE }: { afterSeq: number; limit?: number },
): Promise<RunEvent[]> {
  const rows = await db.runEvent.findMany({
    where: { ...run, seq: { gt: afterSeq } },
    orderBy: { seq: "asc" },
    take: limit,
  });
  return rows.map(eventOf);
}

export async function* allEvents(
  db: Db,
  run: { orgId: string; runId: string },
  afterSeq = 0,
): AsyncGenerator<RunEvent> {
  for (let seq = afterSeq; ;) {
    const page = await eventsAfter(db, run, { afterSeq: seq });
    yield* page;
    if (page.length < PAGE) return;
    seq = page.at(-1)?.seq ?? seq;
  }
}

export async function* followRun(
  ctx: MemberContext,
  { runId, afterSeq }: { runId: string; afterSeq: number },
  signal: AbortSignal,
): AsyncGenerator<RunEvent> {
  const { db, bus, clock, org } = ctx;
  let seq = afterSeq;
  for await (const _ of pulses(topics.run(org.id, runId), { bus, clock, pollMs: POLL_MS, signal })) {
    await assertStillMember(ctx);
    for await (const event of allEvents(db, { orgId: org.id, runId }, seq)) {
      yield event;
      seq = event.seq; // F1
    }
  }
}
