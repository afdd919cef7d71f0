import type { GatewayClient } from "@smooth/gateway/client";
import type { Output } from "@smooth/protocol/gateway";
import type { RunId } from "@smooth/protocol/ids";
import { RunStatus } from "@smooth/protocol/run-events";
import { z } from "zod";
import { connect } from "../../connect.ts";
import { clean, list, say, sayIfCut, show, type JsonFlag } from "../../output.ts";
import { parseArgument } from "../../program.ts";
import { cancel, runRow } from "../../th/runs.ts";
import { runId, whole } from "./arguments.ts";

/** Runs as they are. */

export async function ps(_: readonly string[], flags: JsonFlag & { status?: string; limit: string }): Promise<void> {
  const chosen = flags.status === undefined ? null : parseArgument(Status, flags.status, "--status");
  const limit = whole(flags.limit, "--limit", 1);
  const answer = await chosenRuns(connect(), chosen, limit);
  show(answer, flags, ({ runs }) => list(runs, runRow, "no runs; start one with `smithers up <workflow>`"));
  sayIfCut(answer.runs.length, limit);
}

const Wait = z.enum(["waiting-approval", "waiting-event", "waiting-timer", "waiting-quota"]);
const Status = z.enum([...RunStatus.options, ...Wait.options]);

/** A host says `waiting`; what for, says its engine. */
async function chosenRuns(
  client: GatewayClient,
  chosen: z.infer<typeof Status> | null,
  limit: number,
): Promise<Output<"listRuns">> {
  if (chosen === null) return client.call("listRuns", { limit });
  const status = RunStatus.safeParse(chosen).data ?? "waiting";
  const { runs } = await client.call("listRuns", { status, limit });
  if (status === chosen) return { runs };
  const waits = await Promise.all(runs.map(async ({ runId }) => (await client.call("explainRun", { runId })).status));
  return { runs: runs.filter((_, at) => waits[at] === chosen) };
}

export async function inspect([run = ""]: readonly string[], flags: JsonFlag): Promise<void> {
  const client = connect();
  const id = runId(run);
  const [summary, { asks }, { questions }] = await Promise.all([
    client.call("getRun", { runId: id }),
    client.call("listAsks", { runId: id }),
    client.call("listQuestions", { runId: id }),
  ]);
  show({ run: summary, asks, questions }, flags, () => [
    ...list([summary], runRow, ""),
    clean(
      `workflow ${summary.workflow}, ${summary.lastSeq} events, ${summary.costUsd === null ? "unpriced" : `$${summary.costUsd.toFixed(4)}`}`,
    ),
    ...asks.map((ask) => clean(`? ${ask.question}  ${ask.id}`)),
    ...questions.map(({ title, requestId }) => clean(`? ${title}  ${requestId}`)),
  ]);
}

/** Of one node; without a node what the whole run came to. */
export async function output(
  [run = "", nodeId]: readonly (string | undefined)[],
  { iteration }: { iteration: string },
): Promise<void> {
  const id = runId(run);
  const asked = { runId: id, nodeId: nodeId ?? "", iteration: whole(iteration, "--iteration") };
  const client = connect();
  if (nodeId !== undefined) return show(await client.call("getNodeOutput", asked), { json: true }, () => []);
  const { output: row, recorded } = await client.call("getRunOutput", { runId: id });
  if (row === null) sayRecorded(id, recorded);
  show({ output: row }, { json: true }, () => []);
}

/** A run answers with its row of the schema `output`; where there is none, its nodes are asked. */
export function sayRecorded(id: RunId, recorded: Output<"getRunOutput">["recorded"]): void {
  if (recorded.length === 0) return say(`${id} has recorded nothing yet`);
  say(`${id} has no row of a schema named \`output\`; it recorded:`);
  for (const { nodeId, iteration, output: schema } of recorded.slice(-MOST_SAID)) {
    const at = iteration === 0 ? "" : ` --iteration ${iteration}`;
    say(clean(`  smithers output ${id} ${nodeId}${at}    (${schema})`));
  }
  if (recorded.length > MOST_SAID) say(`  … and ${recorded.length - MOST_SAID} before`);
}
const MOST_SAID = 20;

export const stop = ([run = ""]: readonly string[]): Promise<void> => cancel(run);
