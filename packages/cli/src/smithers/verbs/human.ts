import { connect } from "../../connect.ts";
import { list, say, show, type JsonFlag } from "../../output.ts";
import { parseJson, required, runId } from "./arguments.ts";

/** What HumanTasks and bodies of tasks ask, and the answer. */

export async function questions([run]: readonly (string | undefined)[], flags: JsonFlag): Promise<void> {
  const of = run === undefined ? {} : { runId: runId(run) };
  show(await connect().call("listQuestions", of), flags, ({ questions: open }) =>
    list(open, ({ requestId, title, prompt }) => [requestId, title, prompt], "nobody asks anything"),
  );
}

export async function answer([requestId = ""]: readonly string[], { value }: { value?: string }): Promise<void> {
  const given = parseJson(required(value, "--value"), "--value") as never;
  await connect().call("answerQuestion", { requestId, value: given });
  say(`answered: ${requestId}`);
}

export async function refuse([requestId = ""]: readonly string[], { note }: { note?: string }): Promise<void> {
  await connect().call("cancelQuestion", { requestId, ...(note !== undefined && { note }) });
  say(`refused: ${requestId}`);
}
