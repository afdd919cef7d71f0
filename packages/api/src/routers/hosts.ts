import { HostId } from "@smooth/protocol/ids";
import { z } from "zod";
import { audit } from "../audit.ts";
import { topics } from "../bus.ts";
import { settleCommand } from "../commands.ts";
import type { MemberContext } from "../context.ts";
import { findHost, hostViewOf } from "../hosts.ts";
import { createPairingCode } from "../pairing.ts";
import { procedure, roleWith, router } from "../trpc.ts";

const admin = procedure(roleWith("host:admin"));

export const hostsRouter = router({
  list: procedure("viewer").query(async ({ ctx }) => {
    const rows = await ctx.db.host.findMany({ where: { orgId: ctx.org.id }, orderBy: { pairedAtMs: "asc" } });
    return { hosts: rows.map((row) => hostViewOf(row, ctx)) };
  }),

  createPairingCode: admin.mutation(({ ctx }) => createPairingCode(ctx, { orgId: ctx.org.id, by: ctx.user.email })),

  /** Ends the host's stream, refuses its key from now on, gives up what it has not taken. */
  revoke: admin.input(z.strictObject({ hostId: HostId })).mutation(async ({ ctx, input }) => {
    await revoke(ctx, input.hostId);
    return { ok: true as const };
  }),
});

async function revoke({ db, org, user, clock, bus }: MemberContext, hostId: string): Promise<void> {
  const atMs = clock.now();
  await db.$transaction(async (tx) => {
    await findHost(tx, org.id, hostId);
    const { count } = await tx.host.updateMany({
      where: { id: hostId, orgId: org.id, revokedAtMs: null },
      data: { revokedAtMs: atMs, streamId: null, onlineUntilMs: 0 },
    });
    if (count === 0) return;
    for (const { id } of await tx.command.findMany({ where: { hostId, state: "sent" } })) {
      await settleCommand(tx, { id, atMs }, { state: "expired" });
    }
    await audit(tx, { orgId: org.id, atMs, actor: user.email, action: "host.revoke", subject: hostId });
  });
  bus.publish(topics.host(hostId));
  bus.publish(topics.org(org.id));
}
