import type { CommandAck } from "@smooth/protocol/host-sync";
import { topics } from "../bus.ts";
import { settleCommand } from "../commands.ts";
import type { ApiDeps } from "../context.ts";
import type { HostRow } from "../rows.ts";

/** What a host did with its commands.
 *  A1. Idempotent: the first consumed or failed stays; acknowledging again, or something unknown, changes nothing. */

export async function takeAcks(deps: ApiDeps, host: HostRow, acks: readonly CommandAck[]): Promise<void> {
  const { db, bus } = deps;
  const atMs = deps.clock.now();
  for (const { commandId, outcome } of acks) {
    const command = await db.command.findFirst({ where: { id: commandId, hostId: host.id } });
    if (!command) continue;
    if (outcome.state === "delivered") {
      const data = { state: "delivered", deliveredAtMs: atMs } as const;
      await db.command.updateMany({ where: { id: commandId, state: "sent" }, data });
    } else {
      await db.$transaction((tx) => settleCommand(tx, { id: commandId, atMs }, settlementOf(outcome)));
    }
    if (command.runId !== null) bus.publish(topics.run(host.orgId, command.runId));
  }
  bus.publish(topics.org(host.orgId));
}

type Final = Exclude<CommandAck["outcome"], { state: "delivered" }>;

function settlementOf(outcome: Final): Final {
  if (outcome.state === "consumed") return outcome;
  const clean = (text: string) => text.slice(0, 2_000).replaceAll("\0", "\uFFFD");
  return { ...outcome, code: clean(outcome.code), message: clean(outcome.message) };
}
