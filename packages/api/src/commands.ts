import type { Db, Tx } from "@smooth/db/client";
import { SmoothError } from "@smooth/protocol/errors";
import type { CommandId } from "@smooth/protocol/ids";
import { HostCommand, type HostCommandBody } from "@smooth/protocol/host-sync";
import { audit } from "./audit.ts";
import { topics } from "./bus.ts";
import type { ApiDeps, MemberContext } from "./context.ts";

/** Everything the dashboard asks of a host is a durable row, whose state people can see.
 *
 *  sent → delivered → consumed | failed · sent → expired
 *
 *  C1. `n` is gapless per host: the host row is locked while a command is written.
 *  C2. A command and what it changes here (a queued run, a taken decision, the audit) are one transaction.
 *  C3. A command that failed or expired undoes what only waited for it. */

type CommandRow = NonNullable<Awaited<ReturnType<Db["command"]["findFirst"]>>>;

export interface CommandView {
  readonly commandId: string;
  readonly hostId: string;
  readonly kind: string;
  readonly by: string;
  readonly state: "sent" | "delivered" | "consumed" | "failed" | "expired";
  readonly issuedAtMs: number;
  readonly expiresAtMs: number | null;
  readonly deliveredAtMs: number | null;
  readonly settledAtMs: number | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export function commandViewOf(row: CommandRow): CommandView {
  const { id, hostId, kind, by, state, issuedAtMs, expiresAtMs, deliveredAtMs, settledAtMs } = row;
  const error = row.errorCode === null ? null : { code: row.errorCode, message: row.errorMessage ?? "" };
  return { commandId: id, hostId, kind, by, state, issuedAtMs, expiresAtMs, deliveredAtMs, settledAtMs, error };
}

export const hostCommandOf = (row: CommandRow): HostCommand =>
  HostCommand.parse({ ...row, commandId: row.id, body: JSON.parse(row.body) });

export interface Order {
  readonly hostId: string;
  readonly body: HostCommandBody;
  readonly expiresAtMs?: number | null;
  /** What becomes true together with the command. Only `tx` may be used inside. */
  readonly also?: (tx: Tx, commandId: CommandId) => Promise<void>;
}

/** Writes the command, wakes the host's stream. */
export async function commandHost(ctx: MemberContext, order: Order): Promise<CommandView> {
  const { db, bus, org } = ctx;
  const row = await db.$transaction((tx) => writeCommand(tx, ctx, order));
  bus.publish(topics.host(order.hostId));
  bus.publish(topics.org(org.id));
  return commandViewOf(row);
}

async function writeCommand(
  tx: Tx,
  { org, user, ids, clock }: MemberContext,
  { hostId, body, expiresAtMs = null, also }: Order,
): Promise<CommandRow> {
  const n = await nextNumber(tx, org.id, hostId);
  const id = ids.next("cmd") as CommandId;
  const issuedAtMs = clock.now();
  const { kind } = body;
  const row = await tx.command.create({
    data: {
      hostId,
      n,
      id,
      orgId: org.id,
      kind,
      body: JSON.stringify(body),
      by: user.name,
      issuedAtMs,
      expiresAtMs,
      ...refsOf(body),
    },
  });
  await also?.(tx, id); // C2
  const fact = {
    orgId: org.id,
    atMs: issuedAtMs,
    actor: user.email,
    action: `command.${kind}`,
    subject: subjectOf(row),
  };
  await audit(tx, { ...fact, details: { hostId, commandId: id, n } });
  return row;
}

/** C1. Locks the host row until the transaction ends. */
async function nextNumber(tx: Tx, orgId: string, hostId: string): Promise<number> {
  const { count } = await tx.host.updateMany({
    where: { id: hostId, orgId, revokedAtMs: null },
    data: { lastN: { increment: 1 } },
  });
  const host = await tx.host.findFirst({ where: { id: hostId, orgId } });
  if (!host) throw new SmoothError("NOT_FOUND", `no host ${hostId}`, { details: { hostId } });
  if (count === 0) throw new SmoothError("CONFLICT", `the host ${host.name} was revoked; pair it again first`);
  return host.lastN;
}

function refsOf(body: HostCommandBody): { runId?: string; pearlId?: string; askId?: string } {
  if (body.kind === "dispatch") return { runId: body.runId, pearlId: body.pearl.id };
  if (body.kind === "addDependency") return { pearlId: body.dependency.from };
  return {
    ...("runId" in body && { runId: body.runId }),
    ...("pearlId" in body && { pearlId: body.pearlId }),
    ...("askId" in body && { askId: body.askId }),
  };
}

const subjectOf = ({ askId, runId, pearlId, hostId }: CommandRow): string => askId ?? runId ?? pearlId ?? hostId;

export type Settlement =
  | { readonly state: "consumed" }
  | { readonly state: "expired" }
  | { readonly state: "failed"; readonly code: string; readonly message: string };

/** Ends a command once: answers whether it was this call. The host's word (consumed, failed) also corrects `expired`. */
export async function settleCommand(
  tx: Tx,
  { id, atMs }: { id: string; atMs: number },
  outcome: Settlement,
): Promise<boolean> {
  const open = outcome.state === "expired" ? (["sent"] as const) : (["sent", "delivered", "expired"] as const);
  const error = outcome.state === "failed" ? { errorCode: outcome.code, errorMessage: outcome.message } : {};
  const { count } = await tx.command.updateMany({
    where: { id, state: { in: [...open] } },
    data: { state: outcome.state, settledAtMs: atMs, ...error },
  });
  if (count > 0 && outcome.state !== "consumed") await undo(tx, { id, atMs }, outcome);
  return count > 0;
}

/** C3 */
async function undo(tx: Tx, { id, atMs }: { id: string; atMs: number }, outcome: Settlement): Promise<void> {
  const command = await tx.command.findUniqueOrThrow({ where: { id } });
  await tx.ask.updateMany({ where: { orgId: command.orgId, commandId: id }, data: { commandId: null } });
  if (command.kind !== "dispatch" || command.runId === null) return;
  const reason = outcome.state === "failed" ? outcome.message : "the host was not there in time";
  await tx.run.updateMany({
    where: { orgId: command.orgId, id: command.runId, lastSeq: 0 },
    data: { status: "failed", reason, updatedAtMs: atMs },
  });
}

/** Ends what waited too long for its host. Called before anybody reads commands or runs. */
export async function expireCommands(
  { db, clock, bus }: Pick<ApiDeps, "db" | "clock" | "bus">,
  where: { orgId: string } | { hostId: string },
): Promise<void> {
  const atMs = clock.now();
  const due = await db.command.findMany({
    where: { ...where, state: "sent", expiresAtMs: { lte: atMs } },
    select: { id: true, orgId: true },
  });
  for (const { id, orgId } of due) {
    await db.$transaction((tx) => settleCommand(tx, { id, atMs }, { state: "expired" }));
    bus.publish(topics.org(orgId));
  }
}
