import { RunStatus } from "@smooth/protocol/run-events";
import { connect } from "../../connect.ts";
import { clean, list, sayIfCut, show, type JsonFlag } from "../../output.ts";
import { parseArgument } from "../../program.ts";
import { cancel, runRow } from "../../th/runs.ts";
import { runId, whole } from "./arguments.ts";

/** Runs as they are. */

export async function ps(_: readonly string[], flags: JsonFlag & { status?: string; limit: string }): Promise<void> {
  const chosen = flags.status === undefined ? {} : { status: parseArgument(RunStatus, flags.status, "--status") };
  const limit = whole(flags.limit, "--limit", 1);
  const answer = await connect().call("listRuns", { ...chosen, limit });
  show(answer, flags, ({ runs }) => list(runs, runRow, "no runs; start one with `smithers up <workflow>`"));
  sayIfCut(answer.runs.length, limit);
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
  const answer =
    nodeId === undefined ? await client.call("getRunOutput", { runId: id }) : await client.call("getNodeOutput", asked);
  show(answer, { json: true }, () => []);
}

export const stop = ([run = ""]: readonly string[]): Promise<void> => cancel(run);
