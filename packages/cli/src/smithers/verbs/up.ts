import { resolve } from "node:path";
import type { GatewayClient } from "@smooth/gateway/client";
import { SmoothError } from "@smooth/protocol/errors";
import type { FlowSettings } from "@smooth/protocol/gateway-flows";
import type { RunId } from "@smooth/protocol/ids";
import { connect } from "../../connect.ts";
import { say, writeData } from "../../output.ts";
import { EXIT, ExitCode, stoppedBy, stopSignal } from "../../program.ts";
import { followRun } from "../../watch.ts";
import { parseObject, runId, theRun, whole } from "./arguments.ts";
import { sayRecorded } from "./runs.ts";
import { goOn, reasonLines } from "./waits.ts";

/** Starts or resumes a run and follows it: what happens is talk, what it came to is data. */

interface UpFlags {
  readonly input: string;
  readonly runId?: string;
  readonly resume?: boolean | string;
  readonly acceptWorkflowChange?: boolean;
  readonly detach?: boolean;
  readonly maxConcurrency?: string;
  readonly root?: string;
  readonly allowNetwork?: boolean;
  readonly maxOutputBytes?: string;
  readonly toolTimeoutMs?: string;
  readonly hot?: boolean;
}

export async function up([file = ""]: readonly string[], flags: UpFlags): Promise<void> {
  const client = connect();
  const id = await begin(client, file, flags);
  if (flags.detach === true) return writeData(id);
  stopSignal(); // from here on Ctrl-C is told what goes on
  say(id);
  await followRun(client, id, { stopAtWait: true, tell: say }).catch(async (error: unknown) => {
    if (error instanceof ExitCode && error.code === EXIT.waiting) await sayWhy(client, id);
    if (stoppedBy() !== 0) say(`${id} goes on without you: \`smithers logs -f ${id}\`, or \`smithers cancel ${id}\``);
    throw error;
  });
  const { output, recorded } = await client.call("getRunOutput", { runId: id });
  if (output === null) sayRecorded(id, recorded);
  else writeData(JSON.stringify(output, null, 2));
}

async function begin(client: GatewayClient, file: string, flags: UpFlags): Promise<RunId> {
  const { runId: named, resume, acceptWorkflowChange = false, input } = flags;
  const given = parseObject(input, "--input");
  if (resume === undefined) {
    const chosen = named === undefined ? {} : { runId: runId(named) };
    const launch = { workflow: resolve(file), input: given, settings: settingsOf(flags), ...chosen };
    return (await client.call("launchRun", launch)).runId;
  }
  if (named === undefined) throw new SmoothError("INVALID_INPUT", "--resume needs --run-id");
  const { runId: id } = await theRun(file, named);
  const { status } = await client.call("getRun", { runId: id });
  if (status !== "finished") await goOn(client, { runId: id, acceptWorkflowChange }); // what is finished is told as it was
  return id;
}

function settingsOf({ root, hot, allowNetwork, ...limits }: UpFlags): FlowSettings {
  const { maxConcurrency, maxOutputBytes, toolTimeoutMs } = limits;
  return {
    ...(root !== undefined && { root: resolve(root) }),
    ...(hot === true && { hot }),
    ...(allowNetwork === true && { allowNetwork }),
    ...(maxConcurrency !== undefined && { maxConcurrency: whole(maxConcurrency, "--max-concurrency", 1) }),
    ...(maxOutputBytes !== undefined && { maxOutputBytes: whole(maxOutputBytes, "--max-output-bytes", 1) }),
    ...(toolTimeoutMs !== undefined && { toolTimeoutMs: whole(toolTimeoutMs, "--tool-timeout-ms", 1) }),
  };
}

/** Every wait, with the command that ends it. */
async function sayWhy(client: GatewayClient, id: RunId): Promise<void> {
  const { reasons } = await client.call("explainRun", { runId: id });
  for (const line of reasons.flatMap(reasonLines)) say(line);
}
