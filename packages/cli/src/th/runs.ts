import type { Command } from "commander";
import type { GatewayClient } from "@smooth/gateway/client";
import { SmoothError } from "@smooth/protocol/errors";
import type { RunSummary } from "@smooth/protocol/gateway";
import { RunId } from "@smooth/protocol/ids";
import { connect } from "../connect.ts";
import { clean, list, say, show, type JsonFlag } from "../output.ts";
import { parseArgument, rpcCommand } from "../program.ts";
import { followRun } from "../watch.ts";
import { pearlId } from "./pearls.ts";

/** Operators at work. A run is named by its id, or by the pearl it is on. */
export function runCommands(program: Command): void {
  rpcCommand(program, "run <pearl>", "launchRun")
    .option("--watch", "follow it; off a terminal it leaves with exit 3 when it waits for a human")
    .option("--json", "one JSON document")
    .action(async (id: string, { watch, ...flags }: JsonFlag & { watch?: boolean }) => {
      const client = connect();
      const launched = await client.call("launchRun", { pearlId: pearlId(id) });
      if (watch !== true) return show(launched, flags, ({ runId }) => [runId]);
      say(launched.runId);
      return followRun(client, launched.runId, { stopAtWait: !process.stdout.isTTY });
    });
  program
    .command("operators")
    .description("Operators at work, newest first.")
    .option("--json", "one JSON document")
    .action(async (flags: JsonFlag) => {
      const { runs } = await connect().call("listRuns", { limit: 200 });
      show({ runs: runs.filter(isActive) }, flags, (found) =>
        list(found.runs, runRow, "no operator is at work; start one with `th run <pearl>`"),
      );
    });
  rpcCommand(program, "pause <run>", "pauseRun").action(async (ref: string) => {
    const { client, runId } = await findRun(ref);
    await client.call("pauseRun", { runId });
    say(`${runId} pauses; go on with \`th resume ${runId}\``);
  });
  program
    .command("resume <run>")
    .description("Let a paused run go on, or take up one whose process is gone.")
    .action(resume);
  rpcCommand(program, "steer <run> <text...>", "steerRun").action(async (ref: string, words: string[]) => {
    const { client, runId } = await findRun(ref);
    await client.call("steerRun", { runId, text: words.join(" ") });
    say(`${runId} hears it with its next thought`);
  });
  rpcCommand(program, "cancel <run>", "cancelRun").action(cancel);
  rpcCommand(program, "diff <run>", "getNodeDiff")
    .option("--json", "one JSON document")
    .action(async (ref: string, flags: JsonFlag) => {
      const { client, runId } = await findRun(ref);
      show(await client.call("getNodeDiff", { runId }), flags, ({ files }) => {
        if (files.length === 0) say("the run changed nothing");
        return files.map(({ path, patch, binary }) => (binary ? `Binary file ${clean(path)}` : clean(patch).trimEnd()));
      });
    });
}

export async function cancel(ref: string): Promise<void> {
  const { client, runId } = await findRun(ref);
  await client.call("cancelRun", { runId });
  say(`${runId} is cancelled`);
}

async function resume(ref: string): Promise<void> {
  const { client, runId } = await findRun(ref);
  const { status } = await client.call("getRun", { runId });
  if (status === "paused") await client.call("unpauseRun", { runId });
  else await client.call("resumeRun", { runId });
  say(`${runId} goes on`);
}

const ACTIVE: ReadonlySet<RunSummary["status"]> = new Set(["queued", "running", "paused", "waiting"]);
const isActive = ({ status }: RunSummary): boolean => ACTIVE.has(status);

export const runRow = ({ runId, status, pendingAsks, pearlId: on, title, reason }: RunSummary): string[] => [
  runId,
  pendingAsks > 0 ? `${status} (${pendingAsks} for you)` : status,
  on ?? "",
  reason === null ? title : `${title}: ${reason}`,
];

async function findRun(ref: string): Promise<{ client: GatewayClient; runId: RunId }> {
  const client = connect();
  if (!ref.startsWith("th-")) return { client, runId: parseArgument(RunId, ref, "run") };
  const { runs } = await client.call("listRuns", { pearlId: pearlId(ref) });
  const run = runs.find(isActive) ?? runs[0];
  if (run === undefined) throw new SmoothError("RUN_NOT_FOUND", `pearl ${ref} has no run`);
  return { client, runId: run.runId };
}
