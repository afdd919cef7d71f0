import type { Tx } from "@smooth/db/client";
import type { Ask, AskDecision } from "@smooth/protocol/asks";
import { SmoothError } from "@smooth/protocol/errors";
import type { AskId } from "@smooth/protocol/ids";
import { commandHost, type CommandView, commandViewOf } from "./commands.ts";
import type { MemberContext } from "./context.ts";
import { askOf, type AskRow } from "./rows.ts";
import { stillPending } from "./runs.ts";

/** Everything that waits for a human, and the one decision each gets (promise P7).
 *  I1. The first decision takes the ask, in the transaction of its command; the second learns who was first.
 *  I2. A decision names the version it saw: an ask that changed meanwhile is not decided by it.
 *  I3. When the command fails or expires the ask is free again. */

export interface AskView {
  readonly ask: Ask;
  readonly hostId: string;
  readonly run: { readonly runId: string; readonly title: string; readonly demo: boolean };
  /** A decision made here that the host has not confirmed yet. */
  readonly deciding: CommandView | null;
}

export async function listAsks(
  { db, org, clock }: MemberContext,
  { status, runId, limit }: { status: "pending" | "all"; runId?: string | undefined; limit: number },
): Promise<AskView[]> {
  const rows = await db.ask.findMany({
    where: { orgId: org.id, ...(runId && { runId }), ...(status === "pending" && stillPending(clock.now())) },
    include: { run: true },
    orderBy: { openedAtMs: status === "pending" ? "asc" : "desc" },
    take: limit,
  });
  const commandIds = rows.flatMap(({ commandId }) => commandId ?? []);
  const commands = await db.command.findMany({ where: { orgId: org.id, id: { in: commandIds } } });
  const byId = new Map(commands.map((command) => [command.id, commandViewOf(command)]));
  return rows.map(({ run, ...row }) => ({
    ask: askOf(row, clock.now()),
    hostId: row.hostId,
    run: { runId: run.id, title: run.title, demo: run.demo },
    deciding: row.status === "pending" ? (byId.get(row.commandId ?? "") ?? null) : null,
  }));
}

export async function decideAsk(
  ctx: MemberContext,
  input: { askId: AskId; version: number; decision: AskDecision },
): Promise<{ command: CommandView }> {
  const { db, org, clock } = ctx;
  const row = await findAsk(db, org.id, input.askId);
  const command = await commandHost(ctx, {
    hostId: row.hostId,
    body: { kind: "decideAsk", ...input },
    expiresAtMs: row.expiresAtMs,
    also: (tx, commandId) => take(tx, { orgId: org.id, ...input, commandId, nowMs: clock.now() }),
  });
  return { command };
}

async function findAsk(tx: Tx, orgId: string, askId: string): Promise<AskRow> {
  const row = await tx.ask.findUnique({ where: { orgId_id: { orgId, id: askId } } });
  if (!row) throw new SmoothError("ASK_NOT_FOUND", `no ask ${askId}`, { details: { askId } });
  return row;
}

interface Taking {
  readonly orgId: string;
  readonly askId: AskId;
  readonly version: number;
  readonly commandId: string;
  readonly nowMs: number;
}

/** I1. Throwing undoes the command too. */
async function take(tx: Tx, { orgId, askId, version, commandId, nowMs }: Taking): Promise<void> {
  const { count } = await tx.ask.updateMany({
    where: { orgId, id: askId, version, commandId: null, ...stillPending(nowMs) },
    data: { commandId },
  });
  if (count === 0) throw await refusalOf(tx, await findAsk(tx, orgId, askId), nowMs);
}

async function refusalOf(tx: Tx, row: AskRow, nowMs: number): Promise<SmoothError> {
  const ask = askOf(row, nowMs);
  const details = { askId: row.id, version: row.version };
  if (ask.status === "decided") return alreadyDecided(ask.decidedBy, { ...details, verdict: ask.decision.verdict });
  if (ask.status !== "pending") return new SmoothError("ASK_VOID", `this ask is ${ask.status}`, { details });
  const first = row.commandId === null ? null : await tx.command.findUnique({ where: { id: row.commandId } });
  if (first) return alreadyDecided(first.by, { ...details, verdict: verdictOf(first.body) });
  return new SmoothError("CONFLICT", "the action changed after you opened this; look at it again", { details }); // I2
}

const alreadyDecided = (by: string, details: Record<string, unknown>): SmoothError =>
  new SmoothError("ALREADY_DECIDED", `${by} decided first`, { details: { ...details, decidedBy: by } });

const verdictOf = (body: string): unknown => (JSON.parse(body) as { decision?: AskDecision }).decision?.verdict;
