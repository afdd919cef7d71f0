import type { GatewayClient } from "@smooth/gateway/client";
import { SmoothError } from "@smooth/protocol/errors";
import type { RunId } from "@smooth/protocol/ids";
import { type ChoiceFlags, chosen } from "../../choice.ts";
import { connect } from "../../connect.ts";
import { say } from "../../output.ts";
import { onlyOne } from "../../watch.ts";
import { runId, whole } from "./arguments.ts";

/** A person's word on an Approval. */

interface DecideFlags {
  readonly node?: string;
  readonly iteration?: string;
  readonly note?: string;
}

export async function approve([run = ""]: readonly string[], flags: DecideFlags & ChoiceFlags): Promise<void> {
  await decide(run, flags, { approved: true, ...chosen(flags) });
}

export const deny = ([run = ""]: readonly string[], flags: DecideFlags): Promise<void> =>
  decide(run, flags, { approved: false });

interface Word {
  readonly approved: boolean;
  readonly selected?: string;
  readonly ranked?: string[];
}

async function decide(run: string, { node, iteration, note }: DecideFlags, word: Word): Promise<void> {
  const client = connect();
  const id = runId(run);
  const target =
    node === undefined
      ? await onlyNode(client, id)
      : { nodeId: node, iteration: whole(iteration ?? "0", "--iteration") };
  await client.call("submitApproval", { runId: id, ...target, ...word, ...(note !== undefined && { note }) });
  say(`${word.approved ? "approved" : "denied"}: ${target.nodeId}`);
}

async function onlyNode(client: GatewayClient, id: RunId): Promise<{ nodeId: string; iteration: number }> {
  const { asks } = await client.call("listAsks", { runId: id });
  const waiting = asks.flatMap((ask) => (ask.subject.kind === "approval" ? [{ id: ask.id, ...ask.subject }] : []));
  const none = new SmoothError("NODE_NOT_FOUND", `no node of ${id} waits for an approval`);
  const { nodeId, iteration } = onlyOne(waiting, none);
  return { nodeId, iteration };
}
