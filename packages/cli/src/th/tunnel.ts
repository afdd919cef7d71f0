import type { Command } from "commander";
import { SmoothError } from "@smooth/protocol/errors";
import { Role } from "@smooth/protocol/gateway";
import { connect } from "../connect.ts";
import { clean, say, show, type JsonFlag } from "../output.ts";
import { parseArgument, rpcCommand } from "../program.ts";
import { describeTunnel } from "./host.ts";

/** Being reached from elsewhere: the tunnel, and links that sign people in. */
export function tunnelCommands(program: Command): void {
  const tunnel = program.command("tunnel").description("Serve the live session at a stable URL.");
  rpcCommand(tunnel, "start [slug]", "startTunnel")
    .option("--json", "one JSON document")
    .action(async (slug: string | undefined, flags: JsonFlag) =>
      show(await connect().call("startTunnel", slug === undefined ? {} : { slug }), flags, (state) => [
        clean(describeTunnel(state)),
      ]),
    );
  tunnel
    .command("list")
    .description("The tunnel of this host.")
    .option("--json", "one JSON document")
    .action(async (flags: JsonFlag) => {
      const { tunnel: state } = await connect().call("hostStatus", {});
      const tunnels = state.kind === "off" ? [] : [state];
      if (tunnels.length === 0) say("no tunnel is open; open one with `th tunnel start`");
      show({ tunnels }, flags, () => tunnels.map((open) => clean(describeTunnel(open))));
    });
  rpcCommand(tunnel, "stop [slug]", "stopTunnel").action(async (slug?: string) => {
    const client = connect();
    const { tunnel: state } = await client.call("hostStatus", {});
    if (slug !== undefined && (state.kind === "off" || state.slug !== slug)) {
      throw new SmoothError("NOT_FOUND", `this host has no tunnel ${slug}`);
    }
    await client.call("stopTunnel", {});
    say("the tunnel is closed");
  });

  const share = program.command("share").description("Let a person in.");
  rpcCommand(share, "create", "createSessionLink")
    .option("--role <role>", `${Role.options.join(", ")}`, "approver")
    .option("--ttl <minutes>", "how long the link can be opened", "60")
    .option("--json", "one JSON document")
    .action(async ({ role, ttl, ...flags }: JsonFlag & { role: string; ttl: string }) => {
      const input = { role: parseArgument(Role, role, "--role"), ttlMs: Number(ttl) * 60_000 };
      show(await connect().call("createSessionLink", input), flags, ({ url, expiresAtMs }) => {
        say(`signs in one ${role}, once, until ${new Date(expiresAtMs).toLocaleString()}`);
        return [url];
      });
    });
}
