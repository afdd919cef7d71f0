import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { systemClock, systemRandom } from "@smooth/platform/node/system";
import { OperatorInput } from "@smooth/protocol/operator";
import { tools } from "@smooth/tools/built-in";
import { openNodeWorkspace } from "@smooth/tools/workspace/node";
import { HostInbox, type Start } from "./host-inbox.ts";
import { httpModel } from "./http-model.node.ts";
import { firstThatAnswers } from "./model.ts";
import { runOperator } from "./operator.ts";

/** The operator as a process: JSON lines in and out. Broken lines are named on stderr and otherwise ignored.
 *  When stdin ends or SIGTERM comes, everything it started ends with it. */
export async function operatorMain(): Promise<void> {
  const inbox = new HostInbox();
  process.once("SIGTERM", () => inbox.take({ type: "cancel" }));
  const reading = inbox.pump(inputs());
  await runOperator({
    inbox,
    send: (output) => void process.stdout.write(`${JSON.stringify(output)}\n`),
    open,
    tools: Object.values(tools),
    clock: systemClock,
    random: systemRandom,
    newPartId: () => `part-${randomUUID()}`,
  });
  await Promise.race([reading, flushed()]);
  process.exit(0);
}

async function* inputs(): AsyncGenerator<OperatorInput> {
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    const input = parse(line);
    if (input) yield input;
  }
}

function parse(line: string): OperatorInput | null {
  if (line.trim() === "") return null;
  try {
    return OperatorInput.parse(JSON.parse(line));
  } catch (error) {
    process.stderr.write(`operator: ignored a line: ${String(error).slice(0, 500)}\n`);
    return null;
  }
}

function open(start: Start) {
  const env = process.env;
  return {
    workspace: openNodeWorkspace(start.workspace, {
      env: { ...env, PAGER: "cat", GIT_PAGER: "cat", GIT_TERMINAL_PROMPT: "0" },
      marker: `operator-${randomUUID()}`,
    }),
    model: firstThatAnswers(
      start.modelFormats.map((format) =>
        httpModel({
          url: start.modelUrl,
          token: start.modelToken,
          model: start.role.slot,
          format,
          proxy: env["HTTP_PROXY"] ?? env["http_proxy"] ?? null,
        }),
      ),
    ),
  };
}

function flushed(): Promise<void> {
  return new Promise((resolve) => process.stdout.write("", () => resolve()));
}
