import { cliAgentContract } from "./cli-agent.contract.ts";
import type { CliEvent, CliKind } from "./cli-kind.ts";

/** A made-up program that speaks JSON lines: the port itself, held to its contract. */
const jsonLines: CliKind = {
  name: "json-lines",
  program: "json-lines",
  command: ({ prompt, systemPrompt, model, yolo, sessionId, allowTools, extraArgs }) => ({
    args: [
      ...(systemPrompt === null ? [] : ["--system", systemPrompt]),
      ...(model === null ? [] : ["--model", model]),
      ...(yolo ? ["--yolo"] : []),
      ...(sessionId === null ? [] : ["--resume", sessionId]),
      ...(allowTools === null ? [] : ["--tools", allowTools.join(",")]),
      ...extraArgs,
    ],
    stdin: prompt,
  }),
  reader: () => (line) => {
    try {
      return [JSON.parse(line) as CliEvent];
    } catch {
      return [];
    }
  },
  takeOver: (sessionId) => ["json-lines", "--resume", sessionId],
};

cliAgentContract({ kind: jsonLines, print: (event) => JSON.stringify(event) });
