import { AskDecision } from "@smooth/protocol/asks";
import { AskId, RunId } from "@smooth/protocol/ids";
import { z } from "zod";
import { expireCommands } from "../commands.ts";
import { decideAsk, listAsks } from "../inbox.ts";
import { procedure, roleWith, router } from "../trpc.ts";

export const inboxRouter = router({
  list: procedure(roleWith("run:read"))
    .input(
      z.strictObject({
        status: z.enum(["pending", "all"]).default("pending"),
        runId: RunId.optional(),
        limit: z.int().min(1).max(500).default(200),
      }),
    )
    .query(async ({ ctx, input }) => {
      await expireCommands(ctx, { orgId: ctx.org.id });
      return { asks: await listAsks(ctx, input) };
    }),

  decide: procedure(roleWith("ask:decide"))
    .input(z.strictObject({ askId: AskId, version: z.int().positive(), decision: AskDecision }))
    .mutation(({ ctx, input }) => decideAsk(ctx, input)),
});
