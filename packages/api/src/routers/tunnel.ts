import { HostId } from "@smooth/protocol/ids";
import { z } from "zod";
import { commandHost } from "../commands.ts";
import { hostViewOf } from "../hosts.ts";
import { procedure, roleWith, router } from "../trpc.ts";
import { mintLiveLink } from "../viewer-assertion.ts";

const admin = procedure(roleWith("host:admin"));
const hostRef = z.strictObject({ hostId: HostId });

export const tunnelRouter = router({
  state: procedure("viewer").query(async ({ ctx }) => {
    const rows = await ctx.db.host.findMany({
      where: { orgId: ctx.org.id, revokedAtMs: null },
      include: { slugs: true },
      orderBy: { pairedAtMs: "asc" },
    });
    return {
      tunnels: rows.map(({ slugs, ...row }) => {
        const { hostId, name, presence, tunnel } = hostViewOf(row, ctx);
        return { hostId, name, presence, tunnel, slugs: slugs.map((slug) => slug.name) };
      }),
    };
  }),

  start: admin.input(hostRef).mutation(async ({ ctx, input: { hostId } }) => ({
    command: await commandHost(ctx, { hostId, body: { kind: "startTunnel" } }),
  })),

  stop: admin.input(hostRef).mutation(async ({ ctx, input: { hostId } }) => ({
    command: await commandHost(ctx, { hostId, body: { kind: "stopTunnel" } }),
  })),

  /** A mutation: every call mints a fresh link and is audited. */
  link: procedure("viewer")
    .input(hostRef)
    .mutation(({ ctx, input }) => mintLiveLink(ctx, input.hostId)),
});
