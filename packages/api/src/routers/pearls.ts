import { HostId, PearlId } from "@smooth/protocol/ids";
import { Dependency, NewPearl, PearlComment, PearlStatus } from "@smooth/protocol/pearls";
import { z } from "zod";
import { expireCommands } from "../commands.ts";
import { addDependency, closePearl, commentPearl, createPearl, listPearls, pearlPage } from "../pearls.ts";
import { procedure, roleWith, router } from "../trpc.ts";

const read = procedure(roleWith("pearl:read"));
const write = procedure(roleWith("pearl:write"));

export const pearlsRouter = router({
  list: read
    .input(
      z.strictObject({
        status: PearlStatus.optional(),
        /** Open, and blocked by nothing. */
        ready: z.boolean().default(false),
        text: z.string().trim().min(1).max(200).optional(),
        limit: z.int().min(1).max(500).default(100),
      }),
    )
    .query(async ({ ctx, input }) => ({ pearls: await listPearls(ctx, input) })),

  get: read.input(z.strictObject({ pearlId: PearlId })).query(async ({ ctx, input }) => {
    await expireCommands(ctx, { orgId: ctx.org.id });
    return pearlPage(ctx, input.pearlId);
  }),

  create: write
    .input(z.strictObject({ hostId: HostId.optional(), pearl: NewPearl }))
    .mutation(({ ctx, input }) => createPearl(ctx, input)),

  comment: write
    .input(z.strictObject({ pearlId: PearlId, body: PearlComment.shape.body }))
    .mutation(({ ctx, input }) => commentPearl(ctx, input)),

  close: write
    .input(z.strictObject({ pearlId: PearlId, reason: z.string().max(2_000).default("") }))
    .mutation(({ ctx, input }) => closePearl(ctx, input)),

  addDependency: write.input(Dependency).mutation(({ ctx, input }) => addDependency(ctx, input)),
});
