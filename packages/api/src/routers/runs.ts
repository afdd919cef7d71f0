import { tracked } from "@trpc/server";
import { SmoothError } from "@smooth/protocol/errors";
import { AtMs, HostId, PearlId, RunId } from "@smooth/protocol/ids";
import { emptyRunView, foldRun, type RunView } from "@smooth/protocol/run-view";
import { RunStatus } from "@smooth/protocol/run-events";
import { z } from "zod";
import { commandHost, type CommandView, commandViewOf, expireCommands } from "../commands.ts";
import type { MemberContext } from "../context.ts";
import { dispatchPearl } from "../dispatch.ts";
import { allEvents, cardsOf, eventsAfter, findRun, followRun, type RunCard } from "../runs.ts";
import { procedure, roleWith, router } from "../trpc.ts";

const read = procedure(roleWith("run:read"));
const write = procedure(roleWith("run:write"));
const runRef = z.strictObject({ runId: RunId });

export interface RunPage {
  readonly run: RunCard;
  /** Folded by the same reducer as everywhere. */
  readonly view: RunView;
  /** Newest first. */
  readonly commands: readonly CommandView[];
}

export const runsRouter = router({
  list: read
    .input(
      z.strictObject({
        status: z.array(RunStatus).max(7).optional(),
        pearlId: PearlId.optional(),
        hostId: HostId.optional(),
        startedBeforeMs: AtMs.optional(),
        limit: z.int().min(1).max(200).default(50),
      }),
    )
    .query(async ({ ctx, input: { status, pearlId, hostId, startedBeforeMs, limit } }) => {
      await expireCommands(ctx, { orgId: ctx.org.id });
      const rows = await ctx.db.run.findMany({
        where: {
          orgId: ctx.org.id,
          ...(status && { status: { in: status } }),
          ...(pearlId && { pearlId }),
          ...(hostId && { hostId }),
          ...(startedBeforeMs !== undefined && { startedAtMs: { lt: startedBeforeMs } }),
        },
        orderBy: [{ startedAtMs: "desc" }, { id: "desc" }],
        take: limit,
      });
      return { runs: await cardsOf(ctx, rows) };
    }),

  get: read.input(runRef).query(({ ctx, input }) => runPage(ctx, input.runId)),

  events: read
    .input(
      z.strictObject({
        runId: RunId,
        afterSeq: z.int().nonnegative().default(0),
        limit: z.int().min(1).max(1_000).default(500),
      }),
    )
    .query(async ({ ctx, input: { runId, ...page } }) => {
      await findRun(ctx.db, ctx.org.id, runId);
      return { events: await eventsAfter(ctx.db, { orgId: ctx.org.id, runId }, page) };
    }),

  /** Server-sent: resumes after `lastEventId`, which the client sends by itself when it reconnects. */
  feed: read
    .input(
      z.strictObject({
        runId: RunId,
        afterSeq: z.int().nonnegative().default(0),
        lastEventId: z
          .string()
          .regex(/^\d{1,15}$/, "a seq")
          .nullish(),
      }),
    )
    .subscription(async function* ({ ctx, input, signal }) {
      const { runId } = await findRunId(ctx, input.runId);
      const afterSeq = input.lastEventId ? Number(input.lastEventId) : input.afterSeq;
      const until = signal ?? new AbortController().signal;
      for await (const event of followRun(ctx, { runId, afterSeq }, until)) yield tracked(String(event.seq), event);
    }),

  dispatch: write
    .input(
      z.strictObject({
        pearlId: PearlId,
        hostId: HostId.optional(),
        /** Give up when the host has not taken it by then; null waits for ever. */
        expiresInMs: z
          .int()
          .min(1_000)
          .max(30 * 86_400_000)
          .nullable()
          .default(null),
      }),
    )
    .mutation(({ ctx, input }) => dispatchPearl(ctx, input)),

  cancel: write.input(runRef).mutation(({ ctx, input }) => command(ctx, { kind: "cancel", ...input })),
  pause: write.input(runRef).mutation(({ ctx, input }) => command(ctx, { kind: "pause", ...input })),
  unpause: write.input(runRef).mutation(({ ctx, input }) => command(ctx, { kind: "unpause", ...input })),
  steer: write
    .input(z.strictObject({ runId: RunId, text: z.string().trim().min(1).max(20_000) }))
    .mutation(({ ctx, input }) => command(ctx, { kind: "steer", ...input })),
});

async function findRunId({ db, org }: MemberContext, runId: string): Promise<{ runId: string }> {
  return { runId: (await findRun(db, org.id, runId)).id };
}

async function runPage(ctx: MemberContext, runId: string): Promise<RunPage> {
  const { db, org } = ctx;
  await expireCommands(ctx, { orgId: org.id });
  const row = await findRun(db, org.id, runId);
  const [[run], commands, view] = await Promise.all([
    cardsOf(ctx, [row]),
    db.command.findMany({
      where: { orgId: org.id, runId },
      orderBy: [{ issuedAtMs: "desc" }, { n: "desc" }],
      take: 50,
    }),
    viewOf(ctx, row),
  ]);
  if (!run) throw new SmoothError("RUN_NOT_FOUND", `no run ${runId}`);
  return { run, view, commands: commands.map(commandViewOf) };
}

/** A run that has not begun has no events yet: what it is comes from its row. */
async function viewOf({ db, org }: MemberContext, row: Awaited<ReturnType<typeof findRun>>): Promise<RunView> {
  const { id, title, workflow, pearlId, demo, status, reason, startedAtMs, updatedAtMs } = row;
  const empty = { ...emptyRunView(id), title, workflow, pearlId, demo, status, reason, startedAtMs, updatedAtMs };
  const events = [];
  for await (const event of allEvents(db, { orgId: org.id, runId: id })) events.push(event);
  return foldRun(empty, events);
}

type RunCommand = { runId: RunId } & ({ kind: "cancel" | "pause" | "unpause" } | { kind: "steer"; text: string });

async function command(ctx: MemberContext, body: RunCommand): Promise<{ command: CommandView }> {
  const run = await findRun(ctx.db, ctx.org.id, body.runId);
  if (run.status === "finished" || run.status === "failed" || run.status === "cancelled") {
    throw new SmoothError("CONFLICT", `${run.title} is already ${run.status}`, { details: { status: run.status } });
  }
  return { command: await commandHost(ctx, { hostId: run.hostId, body }) };
}
