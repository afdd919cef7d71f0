import { connect } from "../../connect.ts";
import { show, writeData, type JsonFlag } from "../../output.ts";
import { stopSignal } from "../../program.ts";
import { describe, eventsSoFar, isEnd } from "../../watch.ts";
import { runId, whole } from "./arguments.ts";

interface LogFlags extends JsonFlag {
  readonly follow?: boolean;
  readonly tail?: string;
}

export async function logs([run = ""]: readonly string[], { follow, tail, json }: LogFlags): Promise<void> {
  const client = connect();
  const id = runId(run);
  const { lastSeq } = await client.call("getRun", { runId: id });
  const afterSeq = tail === undefined ? 0 : Math.max(0, lastSeq - whole(tail, "--tail"));
  if (follow !== true) {
    const events = await eventsSoFar(client, id, afterSeq);
    return show(events, { json: json === true }, () => events.flatMap((event) => describe(event) ?? []));
  }
  for await (const event of client.stream("streamRunEvents", { runId: id, afterSeq }, stopSignal())) {
    const line = json === true ? JSON.stringify(event) : describe(event);
    if (line !== null) writeData(line);
    if (isEnd(event)) return;
  }
}
