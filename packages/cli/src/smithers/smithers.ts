import { resolve } from "node:path";
import type { Command } from "commander";
import { SmoothError } from "@smooth/protocol/errors";
import { RunId } from "@smooth/protocol/ids";
import { RunStatus } from "@smooth/protocol/run-events";
import { z } from "zod";
import { connect } from "../connect.ts";
import type { Program } from "../daemon.ts";
import { clean, list, say, sayIfCut, show, writeData, type JsonFlag } from "../output.ts";
import { newProgram, parseArgument, rpcCommand, runProgram, stopSignal } from "../program.ts";
import { cancel, runRow } from "../th/runs.ts";
import { parseJson, waitCommands } from "./waits.ts";
import { describe, eventsSoFar, followRun, isEnd, onlyOne } from "../watch.ts";

/** `smithers`: durable workflows. Never rejects: the answer is the exit code. */
export async function runSmithers({ argv, version }: Program): Promise<number> {
  const program = newProgram("smithers", "Run durable workflows on this machine's host.", version);
  upCommand(program);
  rpcCommand(program, "ps", "listRuns")
    .option("--status <status>", RunStatus.options.join(", "))
    .option("--limit <n>", "how many", "50")
    .option("--json", "one JSON document")
    .action(ps);
  logsCommand(program);
  rpcCommand(program, "inspect <run>", "getRun").option("--json", "one JSON document").action(inspect);
  rpcCommand(program, "output <run> <node>", "getNodeOutput")
    .option("--iteration <n>", "of a loop", "0")
    .action(async (run: string, nodeId: string, { iteration }: { iteration: string }) => {
      const input = { runId: runId(run), nodeId, iteration: Number(iteration) };
      show(await connect().call("getNodeOutput", input), { json: true }, () => []);
    });
  for (const verdict of ["approve", "deny"] as const) decideCommand(program, verdict);
  waitCommands(program);
  rpcCommand(program, "cancel <run>", "cancelRun").action(cancel);
  return runProgram(program, argv.length === 0 ? ["--help"] : argv);
}

interface UpFlags {
  readonly input: string;
  readonly runId?: string;
  readonly resume?: boolean | string;
  readonly acceptWorkflowChange?: boolean;
  readonly detach?: boolean;
}

function upCommand(program: Command): void {
  rpcCommand(program, "up <workflow>", "launchRun")
    .option("--input <json>", "what the workflow gets", "{}")
    .option("--run-id <id>", "name the run (run-…), or the one to resume")
    .option("--resume [true]", "continue the run of --run-id")
    .option("--accept-workflow-change", "with --resume: go on although the workflow's files have changed")
    .option("-d, --detach", "print the run's id and leave")
    .action(async (file: string, { input, runId: named, resume, acceptWorkflowChange = false, detach }: UpFlags) => {
      const client = connect();
      const chosen = named === undefined ? {} : { runId: runId(named) };
      const given = parseArgument(z.record(z.string(), z.unknown()), parseJson(input, "--input"), "--input");
      if (resume !== undefined && named === undefined)
        throw new SmoothError("INVALID_INPUT", "--resume needs --run-id");
      const started =
        resume === undefined
          ? await client.call("launchRun", { workflow: resolve(file), input: given, ...chosen })
          : await client.call("resumeRun", { runId: runId(named ?? ""), acceptWorkflowChange });
      if (detach === true) return writeData(started.runId);
      say(started.runId);
      return followRun(client, started.runId, { stopAtWait: true });
    });
}

async function ps({ status, limit, ...flags }: JsonFlag & { status?: string; limit: string }): Promise<void> {
  const chosen = status === undefined ? {} : { status: parseArgument(RunStatus, status, "--status") };
  const answer = await connect().call("listRuns", { ...chosen, limit: Number(limit) });
  show(answer, flags, ({ runs }) => list(runs, runRow, "no runs; start one with `smithers up <workflow>`"));
  sayIfCut(answer.runs.length, Number(limit));
}

interface LogFlags extends JsonFlag {
  readonly follow?: boolean;
  readonly tail?: string;
}

function logsCommand(program: Command): void {
  rpcCommand(program, "logs <run>", "streamRunEvents")
    .option("-f, --follow", "stay until the run ends and print what comes; with --json one event per line")
    .option("--tail <n>", "only the last events")
    .option("--json", "one JSON document")
    .action(async (run: string, { follow, tail, json }: LogFlags) => {
      const client = connect();
      const id = runId(run);
      const { lastSeq } = await client.call("getRun", { runId: id });
      const afterSeq =
        tail === undefined ? 0 : Math.max(0, lastSeq - parseArgument(z.coerce.number().int().min(0), tail, "--tail"));
      if (follow !== true) {
        const events = await eventsSoFar(client, id, afterSeq);
        return show(events, { json: json === true }, () => events.flatMap((event) => describe(event) ?? []));
      }
      for await (const event of client.stream("streamRunEvents", { runId: id, afterSeq }, stopSignal())) {
        const line = json === true ? JSON.stringify(event) : describe(event);
        if (line !== null) writeData(line);
        if (isEnd(event)) return;
      }
    });
}

async function inspect(run: string, flags: JsonFlag): Promise<void> {
  const client = connect();
  const id = runId(run);
  const [summary, { asks }] = await Promise.all([
    client.call("getRun", { runId: id }),
    client.call("listAsks", { runId: id }),
  ]);
  show({ run: summary, asks }, flags, () => [
    ...list([summary], runRow, ""),
    clean(
      `workflow ${summary.workflow}, ${summary.lastSeq} events, ${summary.costUsd === null ? "unpriced" : `$${summary.costUsd.toFixed(4)}`}`,
    ),
    ...asks.map((ask) => clean(`? ${ask.question}  ${ask.id}`)),
  ]);
}

interface DecideFlags {
  readonly node?: string;
  readonly iteration?: string;
  readonly note?: string;
}

function decideCommand(program: Command, verdict: "approve" | "deny"): void {
  rpcCommand(program, `${verdict} <run>`, "submitApproval")
    .option("--node <id>", "which node; not needed when only one waits")
    .option("--iteration <n>", "of a loop")
    .option("--note <text>", "kept with the decision")
    .action(async (run: string, { node, iteration, note }: DecideFlags) => {
      const client = connect();
      const id = runId(run);
      const { asks } = await client.call("listAsks", { runId: id });
      const waiting = asks.flatMap((ask) =>
        ask.subject.kind === "approval" ? [{ id: ask.id, ...pick(ask.subject) }] : [],
      );
      const target =
        node === undefined
          ? onlyOne(waiting, new SmoothError("NODE_NOT_FOUND", `no node of ${id} waits for an approval`))
          : { nodeId: node, iteration: Number(iteration ?? 0) };
      await client.call("submitApproval", {
        runId: id,
        nodeId: target.nodeId,
        iteration: target.iteration,
        approved: verdict === "approve",
        ...(note !== undefined && { note }),
      });
      say(`${verdict === "approve" ? "approved" : "denied"}: ${target.nodeId}`);
    });
}

const pick = ({ nodeId, iteration }: { nodeId: string; iteration: number }): { nodeId: string; iteration: number } => ({
  nodeId,
  iteration,
});

const runId = (text: string): RunId => parseArgument(RunId, text, "run");
