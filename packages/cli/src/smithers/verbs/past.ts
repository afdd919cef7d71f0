import { SmoothError } from "@smooth/protocol/errors";
import type { Output } from "@smooth/protocol/gateway";
import type { RunTimeline, TimelineEntry } from "@smooth/protocol/gateway-flows";
import { connect } from "../../connect.ts";
import { clean, clockTime, oneLine, say, show, type JsonFlag } from "../../output.ts";
import { runId, whole } from "./arguments.ts";

/** What was: a run's timeline, and differences. */

export async function timeline(
  [run = ""]: readonly string[],
  { tree = false, ...flags }: JsonFlag & { tree?: boolean },
): Promise<void> {
  const answer = await connect().call("runTimeline", { runId: runId(run), tree });
  show(answer, flags, ({ timelines }) => timelines.flatMap(timelineLines));
}

function timelineLines({ runId: id, status, forkedFrom, entries }: RunTimeline): string[] {
  const from = forkedFrom ? `, forked from ${forkedFrom.runId}:${forkedFrom.frame}` : "";
  return [
    `${id} is ${status}${from}`,
    ...entries.map((entry) =>
      clean(`  ${String(entry.frame).padStart(4)}  ${clockTime(entry.atMs)}  ${wordsOf(entry)}`),
    ),
  ];
}

function wordsOf(entry: TimelineEntry): string {
  switch (entry.kind) {
    case "status":
      return `the run is ${entry.status}`;
    case "reset":
      return `${entry.by}: ${entry.verb}, ${entry.nodes} nodes to do again`;
    case "fork":
      return `forked as ${entry.runId}${entry.label === null ? "" : ` (${entry.label})`}`;
    case "attempt": {
      const { nodeId, iteration, attempt, end } = entry;
      const how =
        end === null ? "at work" : `${end.how} at ${end.frame}${end.error ? `: ${oneLine(end.error.message)}` : ""}`;
      return `${nodeId}${iteration > 0 ? `::${iteration}` : ""}${attempt > 1 ? ` attempt ${attempt}` : ""} ${how}`;
    }
  }
}

interface DiffFlags extends JsonFlag {
  readonly node?: string;
  readonly iteration: string;
  readonly attempt?: string;
}

/** Two snapshots, `run` or `run:frame`; or with `--node` what an attempt did to the files. */
export async function diff([a = "", b]: readonly (string | undefined)[], flags: DiffFlags): Promise<void> {
  if (flags.node !== undefined) return attemptDiff(a, flags.node, flags);
  if (b === undefined) throw new SmoothError("INVALID_INPUT", "diff needs two snapshots, or --node");
  const answer = await connect().call("compareRuns", { a: snapshot(a), b: snapshot(b) });
  const lines = compareLines(answer);
  if (lines.length === 0) say("no difference");
  show(answer, flags, () => lines);
}

function snapshot(text: string): { runId: ReturnType<typeof runId>; frame?: number } {
  const [run = "", frame] = text.split(":");
  return { runId: runId(run), ...(frame !== undefined && { frame: whole(frame, `frame of ${text}`, 1) }) };
}

function compareLines({ added, removed, changed, outputs }: Output<"compareRuns">): string[] {
  const name = ({ nodeId, iteration }: { nodeId: string; iteration: number }): string => `${nodeId}::${iteration}`;
  return [
    ...added.map((node) => `+ ${name(node)}`),
    ...removed.map((node) => `- ${name(node)}`),
    ...changed.map((node) => `~ ${name(node)} ${node.before} → ${node.after}`),
    ...outputs.map((row) =>
      clean(`~ ${name(row)} ${row.output}: ${JSON.stringify(row.before)} → ${JSON.stringify(row.after)}`),
    ),
  ];
}

async function attemptDiff(run: string, nodeId: string, { iteration, attempt, ...flags }: DiffFlags): Promise<void> {
  const answer = await connect().call("getNodeDiff", {
    runId: runId(run),
    nodeId,
    iteration: whole(iteration, "--iteration"),
    ...(attempt !== undefined && { attempt: whole(attempt, "--attempt", 1) }),
  });
  if (answer.files.length === 0) say(`${nodeId} changed no files`);
  for (const path of answer.omitted) say(`left out, too large: ${path}`);
  show(answer, flags, ({ files }) =>
    files.map(({ path, patch, binary }) => (binary ? `Binary file ${clean(path)}` : clean(patch).trimEnd())),
  );
}
