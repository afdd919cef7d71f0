import type { Command } from "commander";
import { SmoothError } from "@smooth/protocol/errors";
import type { WaitReason } from "@smooth/protocol/gateway";
import { RunId } from "@smooth/protocol/ids";
import { connect } from "../connect.ts";
import { clean, say, show, type JsonFlag } from "../output.ts";
import { parseArgument, rpcCommand } from "../program.ts";

/** What people do about runs that wait. */
export function waitCommands(program: Command): void {
  rpcCommand(program, "why <run>", "explainRun").option("--json", "one JSON document").action(why);
  rpcCommand(program, "resume <run>", "resumeRun").action(resume);
  rpcCommand(program, "signal <run> <name>", "signalRun")
    .option("--data <json>", "the payload", "null")
    .option("--correlation <id>", "only for who waits with the same one")
    .action(signal);
  const human = program.command("human").description("Questions that runs ask people.");
  rpcCommand(human, "answer <request>", "answerQuestion")
    .requiredOption("--value <json>", "the answer")
    .action(async (requestId: string, { value }: { value: string }) => {
      await connect().call("answerQuestion", { requestId, value: parseJson(value, "--value") as never });
      say(`answered: ${requestId}`);
    });
}

async function why(run: string, flags: JsonFlag): Promise<void> {
  const explained = await connect().call("explainRun", { runId: parseArgument(RunId, run, "run") });
  show(explained, flags, ({ status, reasons }) => [
    clean(`${explained.runId} is ${status}${reasons.length === 0 ? "; nothing holds it" : ""}`),
    ...reasons.flatMap(reasonLines),
  ]);
}

function reasonLines({ node, text, problem, command, dueMs }: WaitReason): readonly string[] {
  const where = node === null ? "" : `${node.nodeId}${node.iteration > 0 ? ` (iteration ${node.iteration})` : ""}: `;
  return [
    clean(`- ${where}${text}`),
    ...(problem === null ? [] : [clean(`    last problem: ${problem}`)]),
    ...(dueMs === null ? [] : [`    ends by itself at ${new Date(dueMs).toISOString()}`]),
    ...(command === null ? [] : [clean(`    ${command}`)]),
  ];
}

async function resume(run: string): Promise<void> {
  const { runId, status } = await connect().call("resumeRun", { runId: parseArgument(RunId, run, "run") });
  say(`${runId} is ${status}`);
}

async function signal(run: string, name: string, flags: { data: string; correlation?: string }): Promise<void> {
  const { data, correlation } = flags;
  const runId = parseArgument(RunId, run, "run");
  const payload = parseJson(data, "--data") as never;
  await connect().call("signalRun", {
    runId,
    name,
    payload,
    ...(correlation !== undefined && { correlationId: correlation }),
  });
  say(`sent: ${name}`);
}

export function parseJson(text: string, flag: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SmoothError("INVALID_INPUT", `${flag} is not JSON: ${(cause as Error).message}`, { cause });
  }
}
