import { SmoothError } from "@smooth/protocol/errors";
import { Role } from "@smooth/protocol/gateway";
import { z } from "zod";
import { audit, firstBrokenEntry } from "../audit.ts";
import { topics } from "../bus.ts";
import type { MemberContext } from "../context.ts";
import { addMember } from "../sign-in.ts";
import { procedure, router, signedIn } from "../trpc.ts";

const owner = procedure("owner");
const userId = z.string().min(1).max(100);

export const meRouter = router({
  get: signedIn.query(async ({ ctx: { user, org, role, db } }) => {
    const memberships = await db.membership.findMany({ where: { userId: user.id }, include: { org: true } });
    const orgs = memberships.map((membership) => {
      const { id, slug, name } = membership.org;
      return { id, slug, name, role: membership.role };
    });
    return { user, org, role, orgs };
  }),

  /** Ends every session of this person, this one too. */
  signOutEverywhere: signedIn.mutation(async ({ ctx: { user, db, clock } }) => {
    await db.user.update({ where: { id: user.id }, data: { sessionsSinceMs: clock.now() + 1 } });
    return { ok: true as const };
  }),
});

export const orgRouter = router({
  members: procedure("viewer").query(async ({ ctx: { db, org } }) => {
    const rows = await db.membership.findMany({
      where: { orgId: org.id },
      include: { user: true },
      orderBy: { createdAtMs: "asc" },
    });
    const members = rows.map(({ user, role }) => ({ userId: user.id, email: user.email, name: user.name, role }));
    return { members };
  }),

  addMember: owner
    .input(z.strictObject({ email: z.email().max(200).toLowerCase(), role: Role }))
    .mutation(({ ctx, input }) => addMember(ctx, { orgId: ctx.org.id, by: ctx.user.email, ...input })),

  setRole: owner.input(z.strictObject({ userId, role: Role })).mutation(async ({ ctx, input }) => {
    await changeMember(ctx, input.userId, input.role);
    return { ok: true as const };
  }),

  removeMember: owner.input(z.strictObject({ userId })).mutation(async ({ ctx, input }) => {
    await changeMember(ctx, input.userId, null);
    return { ok: true as const };
  }),

  /** Newest first; `intact` says whether the chain of entries holds. */
  audit: owner
    .input(z.strictObject({ beforeN: z.int().positive().optional(), limit: z.int().min(1).max(500).default(100) }))
    .query(async ({ ctx: { db, org }, input: { beforeN, limit } }) => {
      const rows = await db.auditEntry.findMany({
        where: { orgId: org.id, ...(beforeN !== undefined && { n: { lt: beforeN } }) },
        orderBy: { n: "desc" },
        take: limit,
      });
      const entries = rows.map(({ n, atMs, actor, action, subject, details }) => ({
        n,
        atMs,
        actor,
        action,
        subject,
        details: JSON.parse(details) as Record<string, string | number | boolean | null>,
      }));
      return { entries, intact: (await firstBrokenEntry(db, org.id)) === null };
    }),
});

/** Null removes. The last owner stays owner: an org without one could never be administered again. */
async function changeMember(
  { db, org, user, clock, bus }: MemberContext,
  memberId: string,
  role: Role | null,
): Promise<void> {
  const key = { orgId_userId: { orgId: org.id, userId: memberId } };
  await db.$transaction(async (tx) => {
    const action = role === null ? "member.remove" : "member.role";
    await audit(tx, {
      orgId: org.id,
      atMs: clock.now(),
      actor: user.email,
      action,
      subject: memberId,
      details: { role },
    });
    const membership = await tx.membership.findUnique({ where: key });
    if (!membership) throw new SmoothError("NOT_FOUND", `no member ${memberId}`, { details: { userId: memberId } });
    const owners = await tx.membership.count({ where: { orgId: org.id, role: "owner" } });
    if (membership.role === "owner" && role !== "owner" && owners === 1) {
      throw new SmoothError("CONFLICT", "this is the last owner; make somebody else owner first");
    }
    if (role === null) await tx.membership.delete({ where: key });
    else await tx.membership.update({ where: key, data: { role } });
  });
  bus.publish(topics.org(org.id));
}
