import { tracked } from "@trpc/server";
import { pulses, topics } from "../bus.ts";
import { expireCommands } from "../commands.ts";
import { assertStillMember, type MemberContext } from "../context.ts";
import { hostViewOf } from "../hosts.ts";
import { listAsks } from "../inbox.ts";
import { cardsOf, type RunCard } from "../runs.ts";
import { procedure, router } from "../trpc.ts";

const DAY_MS = 86_400_000;
const POLL_MS = 15_000;

export const homeRouter = router({
  /** What needs me, first. */
  summary: procedure("viewer").query(async ({ ctx }) => {
    const { db, org, clock } = ctx;
    await expireCommands(ctx, { orgId: org.id });
    const [asks, hosts, running, failed, finished] = await Promise.all([
      listAsks(ctx, { status: "pending", limit: 50 }),
      db.host.findMany({ where: { orgId: org.id, revokedAtMs: null }, orderBy: { pairedAtMs: "asc" } }),
      cards(ctx, { status: { in: ["queued", "running", "paused", "waiting"] } }),
      cards(ctx, { status: "failed", updatedAtMs: { gte: clock.now() - 7 * DAY_MS } }),
      cards(ctx, { status: "finished", updatedAtMs: { gte: clock.now() - 7 * DAY_MS } }),
    ]);
    return { asks, hosts: hosts.map((host) => hostViewOf(host, ctx)), running, failed, finished };
  }),

  /** Says when to look again: one message after every change in the org, or after a few seconds. */
  changes: procedure("viewer").subscription(async function* ({ ctx, signal }) {
    const { bus, clock, org } = ctx;
    const until = signal ?? new AbortController().signal;
    for await (const _ of pulses(topics.org(org.id), { bus, clock, pollMs: POLL_MS, signal: until })) {
      await assertStillMember(ctx);
      yield tracked(String(clock.now()), { atMs: clock.now() });
    }
  }),
});

type RunWhere = NonNullable<NonNullable<Parameters<MemberContext["db"]["run"]["findMany"]>[0]>["where"]>;

async function cards(ctx: MemberContext, where: RunWhere): Promise<RunCard[]> {
  const rows = await ctx.db.run.findMany({
    where: { ...where, orgId: ctx.org.id },
    orderBy: { updatedAtMs: "desc" },
    take: 20,
  });
  return cardsOf(ctx, rows);
}
