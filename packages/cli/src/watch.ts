import type { GatewayClient } from "@smooth/gateway/client";
import { SmoothError } from "@smooth/protocol/errors";
import type { RunId } from "@smooth/protocol/ids";
import type { RunEvent, RunStatus } from "@smooth/protocol/run-events";
import { retryText } from "@smooth/protocol/retry-text";
import { clean, clockTime, oneLine, paint, say, writeData } from "./output.ts";
import { EXIT, ExitCode, stopSignal } from "./program.ts";

/** Following a run: one line per event that a person wants to know. */

export interface Following {
  /** Leave with exit 3 at the first wait, or stay until the end. */
  readonly stopAtWait: boolean;
  /** Where its lines go; default: they are the data. */
  readonly tell?: (line: string) => void;
}

/** Returns when the run finished; any other end is an exit code. */
export async function followRun(client: GatewayClient, runId: RunId, following: Following): Promise<void> {
  const { stopAtWait, tell = writeData } = following;
  for await (const event of client.stream("streamRunEvents", { runId }, stopSignal())) {
    const line = describe(event);
    if (line !== null) tell(line);
    if (isWait(event) && (await stillWaits(client, runId)) && stopAtWait) throw new ExitCode(EXIT.waiting);
    if (event.type !== "run.status") continue;
    const code = exitOf(event.status);
    if (code === EXIT.ok) return;
    if (code !== null) throw new ExitCode(code);
  }
}

const isWait = (event: RunEvent): boolean =>
  event.type === "ask.opened" || (event.type === "run.status" && event.status === "waiting");

export const isEnd = (event: RunEvent): boolean => event.type === "run.status" && exitOf(event.status) !== null;

/** A stream begins in the past, where waits may be over. */
async function stillWaits(client: GatewayClient, runId: RunId): Promise<boolean> {
  const { status, pendingAsks } = await client.call("getRun", { runId });
  if (pendingAsks > 0) say("it waits for you: `th inbox`");
  return pendingAsks > 0 || status === "waiting";
}

function exitOf(status: RunStatus): number | null {
  if (status === "finished") return EXIT.ok;
  if (status === "failed") return EXIT.failed;
  return status === "cancelled" ? EXIT.cancelled : null;
}

/** The events a run has now, without waiting for more. */
export async function eventsSoFar(client: GatewayClient, runId: RunId, afterSeq = 0): Promise<RunEvent[]> {
  const { lastSeq } = await client.call("getRun", { runId });
  const events: RunEvent[] = [];
  if (lastSeq <= afterSeq) return events;
  for await (const event of client.stream("streamRunEvents", { runId, afterSeq }, stopSignal())) {
    events.push(event);
    if (event.seq >= lastSeq) break;
  }
  return events;
}

/** null: not worth a line. */
export function describe(event: RunEvent): string | null {
  const text = words(event);
  return text === null ? null : `${paint("dim", clockTime(event.atMs))}  ${text}`;
}

function failureText({ attempt, error, willRetryAtMs, atMs }: Extract<RunEvent, { type: "node.failed" }>): string {
  const said = oneLine(error, 200);
  return willRetryAtMs === null ? said : retryText({ attempt, error: said, delayMs: willRetryAtMs - atMs });
}

function words(event: RunEvent): string | null {
  switch (event.type) {
    case "run.started":
      return `started: ${oneLine(event.title)}${event.demo ? " (DEMO)" : ""}`;
    case "run.status":
      return `${event.status}${event.reason === null ? "" : `: ${oneLine(event.reason, 200)}`}`;
    case "node.started":
      return `▸ ${oneLine(event.label)}${event.attempt > 1 ? ` (attempt ${event.attempt})` : ""}`;
    case "node.failed":
      return `${paint("red", "✕")} ${event.nodeId}: ${failureText(event)}`;
    case "node.waiting":
      return `${paint("yellow", "◐")} ${event.nodeId}: ${oneLine(event.reason, 200)}`;
    case "vm.started":
      return `sandbox ${event.driver} (${event.level}) in ${event.tookMs} ms`;
    case "message":
      return `${event.role}: ${clean(event.text).trim()}`;
    case "tool.started":
      return `${event.tool} ${oneLine(event.args, 120)}`;
    case "tool.finished":
      return event.ok ? null : `${paint("red", "✕")} ${oneLine(event.output, 200)}`;
    case "egress":
      return event.verdict === "allowed"
        ? null
        : `${paint("red", "blocked")} ${event.host}:${event.port} (${event.rule})`;
    case "ask.opened":
      return `${paint("yellow", "?")} ${oneLine(event.ask.question, 200)}  ${event.ask.id}`;
    case "verify.finished":
      return `${event.green ? paint("green", "✓") : paint("red", "✕")} ${oneLine(event.command)}`;
    case "governor.stopped":
      return `stopped: ${event.reason}, ${oneLine(event.detail, 200)}`;
    case "diff.ready":
      return `diff of ${event.files.length} files`;
    case "merged":
      return `merged ${event.commit.slice(0, 10)} into ${event.branch}`;
    case "steered":
      return `${event.by}: ${clean(event.text)}`;
    case "note":
      return clean(event.text);
    case "finding":
      return `${event.finding.severity}: ${event.finding.rule}, ${oneLine(event.finding.excerpt)}`;
    case "node.finished":
    case "message.delta":
    case "usage":
    case "checkpoint":
    case "vm.stopped":
    case "ask.closed":
      return null;
    default:
      // A newer host tells more than this build knows.
      return null;
  }
}

/** What was asked for is not one thing. */
export function onlyOne<T extends { readonly id: string }>(found: readonly T[], none: SmoothError): T {
  const [first, second] = found;
  if (first === undefined) throw none;
  if (second === undefined) return first;
  throw new SmoothError(
    "INVALID_INPUT",
    `${found.length} asks match; name one: ${found.map(({ id }) => id).join(", ")}`,
  );
}
