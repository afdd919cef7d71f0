import { connect } from "../../connect.ts";
import { list, show, type JsonFlag } from "../../output.ts";
import { runId } from "./arguments.ts";

export async function scores(
  [run = ""]: readonly string[],
  { node, ...flags }: JsonFlag & { node?: string },
): Promise<void> {
  const only = node === undefined ? {} : { nodeId: node };
  show(await connect().call("runScores", { runId: runId(run), ...only }), flags, (answer) =>
    list(
      answer.scores,
      ({ nodeId, iteration, scorer, score, reason }) => [
        `${nodeId}::${iteration}`,
        scorer,
        score.toFixed(3),
        reason ?? "",
      ],
      "no scores",
    ),
  );
}
