import type { GatewayClient } from "@smooth/gateway/client";
import type { Output, RawInput } from "@smooth/protocol/gateway";
import type { WaitReason } from "@smooth/protocol/gateway-flows";
import { connect } from "../../connect.ts";
import { clean, say, show, type JsonFlag } from "../../output.ts";
import { parseJson, runId } from "./arguments.ts";

/** What people do about runs that wait. */

export async function why([run = ""]: readonly string[], flags: JsonFlag): Promise<void> {
  const explained = await connect().call("explainRun", { runId: runId(run) });
  show(explained, flags, ({ status, reasons }) => [
    clean(`${explained.runId} is ${status}${reasons.length === 0 ? idle(explained.runId, status) : ""}`),
    ...reasons.flatMap(reasonLines),
  ]);
}

/** Of a run that nothing holds. */
const idle = (id: string, status: string): string =>
  status === "paused" ? `; go on with \`smithers resume ${id}\`` : "; nothing holds it";

export function reasonLines({ node, text, problem, command, dueMs }: WaitReason): readonly string[] {
  const where = node === null ? "" : `${node.nodeId}${node.iteration > 0 ? ` (iteration ${node.iteration})` : ""}: `;
  return [
    clean(`- ${where}${text}`),
    ...(problem === null ? [] : [clean(`    last problem: ${problem}`)]),
    ...(dueMs === null ? [] : [`    ends by itself at ${new Date(dueMs).toISOString()}`]),
    ...(command === null ? [] : [clean(`    ${command}`)]),
  ];
}

export async function pause([run = ""]: readonly string[]): Promise<void> {
  const id = runId(run);
  await connect().call("pauseRun", { runId: id });
  say(`${id} pauses; go on with \`smithers resume ${id}\``);
}

export async function resume([run = ""]: readonly string[]): Promise<void> {
  const id = runId(run);
  await goOn(connect(), { runId: id });
  say(`${id} goes on`);
}

/** What a person paused is let go on; what lost its process is taken up. */
export async function goOn(client: GatewayClient, run: RawInput<"resumeRun">): Promise<void> {
  const { runId } = run;
  const { status } = await client.call("getRun", { runId });
  if (status === "paused") await client.call("unpauseRun", { runId });
  else await client.call("resumeRun", run);
}

export async function signal(
  [run = "", name = ""]: readonly string[],
  { data, correlation }: { data: string; correlation?: string },
): Promise<void> {
  const payload = parseJson(data, "--data") as never;
  const matching = correlation === undefined ? {} : { correlationId: correlation };
  const sent = await connect().call("signalRun", { runId: runId(run), name, payload, ...matching });
  say(clean(`sent: ${name}${sent.waiters.length > 0 ? `, to ${sent.waiters.join(", ")}` : unheard(sent.waitedFor)}`));
}

/** Kept, and perhaps mistyped. */
function unheard(waitedFor: Output<"signalRun">["waitedFor"]): string {
  const names = waitedFor.map(({ name, correlationId }) =>
    correlationId === null ? name : `${name} --correlation ${correlationId}`,
  );
  const instead = names.length === 0 ? "the run waits for no signal now" : `the run waits for ${names.join(", ")}`;
  return `; nothing waits for it yet, and it is kept: ${instead}`;
}
