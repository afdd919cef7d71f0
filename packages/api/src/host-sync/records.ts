import type { Tx } from "@smooth/db/client";
import type { HostRecord } from "@smooth/protocol/host-sync";
import type { Ask } from "@smooth/protocol/asks";
import type { RunEvent } from "@smooth/protocol/run-events";
import { audit } from "../audit.ts";
import type { HostRow } from "../rows.ts";
import { asksOf, emptySummary, foldSummary } from "./run-summary.ts";

/** One host record becomes rows.
 *  R1. A host writes only what is its own: a run or pearl of another host of the org is left alone, and counted.
 *  R2. Text columns cannot hold U+0000; there it becomes U+FFFD. Events are JSON text and keep it. */

type Of<K extends HostRecord["kind"]> = Extract<HostRecord, { kind: K }>;

/** Answers how many records were another host's. */
export async function storeRecords(tx: Tx, host: HostRow, records: readonly HostRecord[]): Promise<number> {
  const events = records.flatMap((record) => (record.kind === "run.event" ? [record.event] : []));
  let foreign = 0;
  for (const [runId, ofRun] of Map.groupBy(events, (event) => event.runId)) {
    if (!(await storeRunEvents(tx, host, { runId, events: ofRun }))) foreign += ofRun.length;
  }
  for (const record of records) if (!(await storeOther(tx, host, record))) foreign += 1;
  return foreign;
}

function storeOther(tx: Tx, host: HostRow, record: HostRecord): Promise<boolean> {
  switch (record.kind) {
    case "run.event":
      return Promise.resolve(true);
    case "pearl":
      return storePearl(tx, host, record);
    case "pearl.comment":
      return storeComment(tx, host, record);
    case "pearl.change":
      return storeChange(tx, host, record);
    case "pearl.dependency":
      return storeDependency(tx, host, record);
    case "status":
      return storeStatus(tx, host, record);
    case "refused":
      return auditRefused(tx, host, record);
  }
}

async function storeRunEvents(
  tx: Tx,
  { orgId, id: hostId }: HostRow,
  { runId, events }: { runId: string; events: readonly RunEvent[] },
): Promise<boolean> {
  const key = { orgId_id: { orgId, id: runId } };
  const before = await tx.run.findUnique({ where: key });
  if (before && before.hostId !== hostId) return false; // R1
  const after = before?.lastSeq ?? 0;
  const bySeq = new Map(events.filter(({ seq }) => seq > after).map((event) => [event.seq, event]));
  const fresh = [...bySeq.values()].toSorted((a, b) => a.seq - b.seq);
  const [first] = fresh;
  if (!first) return true;

  const folded = fresh.reduce(foldSummary, before ?? emptySummary(runId, first.atMs));
  const { title, workflow, pearlId, demo, status, reason, costUsd, startedAtMs, updatedAtMs, lastSeq } = folded;
  const text = { title: clean(title), workflow: clean(workflow), reason: reason && clean(reason) };
  const row = { ...text, pearlId, demo, status, costUsd, startedAtMs, updatedAtMs, lastSeq };
  await tx.run.upsert({ where: key, create: { ...row, orgId, id: runId, hostId }, update: row });
  const rows = fresh.map((event) => ({ orgId, runId, seq: event.seq, body: JSON.stringify(event) }));
  await tx.runEvent.createMany({ data: rows, skipDuplicates: true });
  for (const ask of asksOf(fresh)) await storeAsk(tx, { orgId, hostId, runId }, ask);
  return true;
}

/** A decision on its way (`commandId`) stays attached only to the version it saw. */
async function storeAsk(tx: Tx, of: { orgId: string; hostId: string; runId: string }, ask: Ask): Promise<void> {
  const { id, version, status, openedAtMs, expiresAtMs } = ask;
  const key = { orgId_id: { orgId: of.orgId, id } };
  const before = await tx.ask.findUnique({ where: key });
  if (before && before.runId !== of.runId) return; // R1
  const row = { version, status, openedAtMs, expiresAtMs, body: JSON.stringify(ask) };
  const commandId = before?.version === version ? before.commandId : null;
  await tx.ask.upsert({ where: key, create: { ...of, id, ...row }, update: { ...row, commandId } });
}

async function storePearl(tx: Tx, { orgId, id: hostId }: HostRow, { pearl }: Of<"pearl">): Promise<boolean> {
  const { id, title, description, status, priority, type, labels, repo, verify, budgetUsd } = pearl;
  const { createdAtMs, updatedAtMs, closedAtMs } = pearl;
  const before = await tx.pearl.findUnique({ where: { orgId_id: { orgId, id } } });
  if (before && before.hostId !== hostId) return false; // R1
  const words = {
    title: clean(title),
    description: clean(description),
    repo: clean(repo),
    verify: verify && clean(verify),
  };
  const facts = { status, priority, type, labels: labels.map(clean), budgetUsd, createdAtMs, updatedAtMs, closedAtMs };
  const row = { ...words, ...facts };
  await tx.pearl.upsert({ where: { orgId_id: { orgId, id } }, create: { ...row, orgId, id, hostId }, update: row });
  return true;
}

async function storeComment(tx: Tx, host: HostRow, { comment }: Of<"pearl.comment">): Promise<boolean> {
  if (!(await ownsPearl(tx, host, comment.pearlId))) return false;
  const { id, pearlId, author, body, atMs } = comment;
  const row = { orgId: host.orgId, id: clean(id), pearlId, author: clean(author), body: clean(body), atMs };
  await tx.comment.createMany({ data: [row], skipDuplicates: true });
  return true;
}

async function storeChange(tx: Tx, host: HostRow, { change }: Of<"pearl.change">): Promise<boolean> {
  if (!(await ownsPearl(tx, host, change.pearlId))) return false;
  const { pearlId, field, before, after, by, atMs } = change;
  const values = { before: before && clean(before), after: after && clean(after) };
  await tx.change.create({ data: { orgId: host.orgId, pearlId, field: clean(field), ...values, by: clean(by), atMs } });
  return true;
}

async function storeDependency(tx: Tx, host: HostRow, { dependency }: Of<"pearl.dependency">): Promise<boolean> {
  const { from, to, type } = dependency;
  if (!(await ownsPearl(tx, host, from))) return false;
  await tx.dependency.createMany({
    data: [{ orgId: host.orgId, fromId: from, toId: to, type }],
    skipDuplicates: true,
  });
  return true;
}

async function storeStatus(tx: Tx, { id }: HostRow, { status }: Of<"status">): Promise<boolean> {
  await tx.host.update({ where: { id }, data: { status: JSON.stringify(status) } });
  return true;
}

/** What is missing here is told to whoever reads the audit; the same refusal once, however often it happens. */
async function auditRefused(tx: Tx, { orgId, id, lastSeenAtMs }: HostRow, record: Of<"refused">): Promise<boolean> {
  const details = { what: clean(record.what), code: clean(record.code), message: clean(record.message) };
  const fact = { orgId, actor: id, action: "record.refused", subject: id };
  const told = await tx.auditEntry.count({ where: { ...fact, details: JSON.stringify(details) } });
  if (told === 0) await audit(tx, { ...fact, atMs: lastSeenAtMs ?? 0, details });
  return true;
}

async function ownsPearl(tx: Tx, { orgId, id: hostId }: HostRow, pearlId: string): Promise<boolean> {
  return (await tx.pearl.count({ where: { orgId, id: pearlId, hostId } })) > 0;
}

/** R2 */
const clean = (text: string): string => text.replaceAll("\0", "\uFFFD");
