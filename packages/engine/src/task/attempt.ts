/** Runs one attempt of one task. It never rejects: what happened is an outcome.
 *  T1. `timeoutMs` and `heartbeatTimeoutMs` are hard races: a body that ignores its signal loses anyway.
 *  T2. A value that does not fit the schema is INVALID_OUTPUT and, for compute tasks, not tried again.
 *  T3. A used-up quota (RATE_LIMITED with the time it ends) is no failed attempt (failure.ts).
 *  T4. A body that is to be handed a row which its dependency has not left is refused, and not tried again. */
import type { Clock } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { z } from "zod";
import { lookUp, type CacheAccess } from "../cache/through-cache.ts";
import { parseStateKey } from "../graph/identity.ts";
import type { TaskLeaf } from "../graph/plan.ts";
import type { Recalled } from "../memory/recall.ts";
import { sizeOf, type JsonValue } from "../outputs/json.ts";
import { rowFromJson, type Row } from "../outputs/table.ts";
import { elementText, withSchema } from "../render/element-text.ts";
import { React } from "../render/react.ts";
import { needed, recordable, type RecordedBundle, type SandboxAccess, type SandboxBody } from "../run/sandbox.ts";
import type { SubflowBody, SubflowEnd, Subflows } from "../run/subflow.ts";
import type { SandboxBundle } from "./sandboxes.ts";
import type { WordStream } from "./agent-words.ts";
import type { AgentLike, Question, TaskContext, TaskWorktree } from "./body.ts";
import { failure, type Failure } from "./failure.ts";
import { stoppedBy, type Stop } from "./stop.ts";
import type { AroundBody, TaskScope, ToolLog } from "./tool-log.ts";
import { runAgent } from "./run-agent.ts";
import type { TokenUsage, UsageTotals } from "./usage.ts";

export interface Success {
  readonly kind: "ok";
  readonly row: Row;
  /** What the agent was asked, as its author wrote it. */
  readonly prompt: string | null;
  /** null: nothing is kept; a key: keep the row under it. */
  readonly cached: "hit" | null | { readonly key: string };
}
/** A sandbox has run; its files are to be written by the next attempt. */
export interface Bundled {
  readonly kind: "bundled";
  readonly bundle: SandboxBundle;
  readonly review: boolean;
}
export type AttemptOutcome = Success | Failure | Bundled | Extract<SubflowEnd, { kind: "suspended" }>;

export interface AttemptInput {
  readonly leaf: TaskLeaf;
  readonly attempt: number;
  readonly runId: string;
  readonly agent: AgentLike | null;
  /** Rows for a function child with `deps`, by name. */
  readonly deps: Readonly<Record<string, unknown>>;
  readonly lastHeartbeat: JsonValue | null;
  /** Aborted from outside, by a deadline, or because the attempt is over. */
  readonly stop: Stop;
  readonly clock: Clock;
  readonly onHeartbeat: (payload: JsonValue) => void;
  readonly onUsage: (usage: TokenUsage, ofRun?: string) => void;
  /** How often the node was sent back. */
  readonly resets: number;
  /** What is counted of a run that is the node's body. */
  readonly toldOfRun: (runId: string) => UsageTotals | undefined;
  readonly onWords: (stream: WordStream, text: string) => void;
  /** What is remembered is put before an agent's prompt and before its conversation. */
  readonly recall: (prompt: string) => Promise<Recalled>;
  readonly cache: CacheAccess;
  readonly toolLog: ToolLog;
  readonly around: AroundBody;
  readonly subflows: Subflows;
  /** Asked for by those whose body is one. */
  readonly sandbox: () => SandboxAccess;
  readonly worktree: TaskWorktree | null;
  /** How many attempts failed before this one. */
  readonly failures: number;
  /** Stands before an agent's prompt: what earlier attempts did that must not be repeated. */
  readonly warning: string;
  readonly ask: (question: Question<z.ZodType>, signal: AbortSignal) => Promise<unknown>;
  readonly session: JsonValue;
  readonly onSession: (session: JsonValue) => void;
}

type Done = Omit<Success, "kind">;

/** What its deadlines watch, and the one that was missed. */
interface Pulse {
  beats: number;
  asking: number;
  missed: SmoothError | undefined;
}

export async function runAttempt(input: AttemptInput): Promise<AttemptOutcome> {
  const { leaf, stop } = input;
  const pulse: Pulse = { beats: 0, asking: 0, missed: undefined };
  try {
    const body = runBody(input, { bare: bareContext(input, pulse), say: heard(input, pulse) });
    const done =
      leaf.timeoutMs === null && leaf.heartbeatTimeoutMs === null && sloMs(leaf) === null
        ? await body
        : await Promise.race([body, ...deadlines(input, pulse)]);
    return { kind: "ok", ...done };
  } catch (error) {
    return NoRow.outcomeOf(error) ?? failure(pulse.missed ?? error, input);
  } finally {
    stop.abort(ENDED);
  }
}

/** Words are proof of life; after the end nobody listens. */
const heard =
  ({ onWords, stop }: AttemptInput, pulse: Pulse): AttemptInput["onWords"] =>
  (stream, text) => {
    if (stop.aborted) return;
    pulse.beats += 1;
    onWords(stream, text);
  };

const ENDED = new SmoothError("TASK_ABORTED", "the attempt is over");

/** T4 */
function checkDeps({ leaf, deps }: AttemptInput): void {
  const missing = leaf.deps.find(({ name }) => deps[name] === undefined);
  if (missing)
    throw new SmoothError(
      "INVALID_INPUT",
      `task ${leaf.id} cannot have its dep ${missing.name}: node ${parseStateKey(missing.key).nodeId} has finished without a row in ${missing.output.name}; use dependsOn to wait for it, and ctx.outputMaybe to read it`,
    );
}

/** What the body of one attempt is given. The signal is added where somebody may look at it: it is made on demand (stop.ts). */
interface Given {
  readonly bare: Omit<TaskContext, "signal">;
  readonly say: AttemptInput["onWords"];
}

async function runBody(input: AttemptInput, given: Given): Promise<Done> {
  const { leaf, cache, deps } = input;
  if (deps !== NO_DEPS) checkDeps(input);
  const recorded = leaf.body.mode === "sandbox" ? input.sandbox().recorded : null;
  if (recorded) return { row: await written(recorded, input), prompt: null, cached: null }; // Q2, Q3
  const prompt = promptOf(input, given);
  if (leaf.cache === null || leaf.body.mode === "static")
    return { row: await freshRow(input, given, prompt), prompt, cached: null };
  const kept = await lookUp(leaf, leaf.cache, { ...cache, deps, prompt });
  if (kept.kind === "hit") return { row: kept.row, prompt, cached: "hit" };
  return { row: await freshRow(input, given, prompt), prompt, cached: { key: kept.key } };
}

async function freshRow(input: AttemptInput, given: Given, prompt: string | null): Promise<Row> {
  const { leaf, around, stop } = input;
  const { body, output } = leaf;
  switch (body.mode) {
    case "static":
      return parseRow(output.schema, body.value);
    case "compute": {
      const value = await around(scopeOf(input, given), async () => body.fn(withDeps(input, given) as never));
      return parseRow(output.schema, value);
    }
    case "subflow":
      return parseRow(output.schema, await subflowValue(body, input, stop.signal));
    case "sandbox":
      return sandboxRow(body, input, given);
    case "agent":
      return around(scopeOf(input, given), () => agentRow(input, given, prompt ?? ""));
  }
}

const scopeOf = ({ leaf, toolLog, stop }: AttemptInput, { bare }: Given): TaskScope =>
  stoppedBy(stop, { ...bare, allowTools: leaf.allowTools, toolLog });

export const NO_DEPS: AttemptInput["deps"] = {};

/** What a function child is called with. */
function withDeps({ deps, stop }: AttemptInput, { bare }: Given) {
  if (deps === NO_DEPS) return stoppedBy(stop, { ...bare });
  const given = { ...bare, ...deps };
  return "signal" in given ? given : stoppedBy(stop, given);
}

/** How a body that is a run, or a sandbox, says that it has no row. */
class NoRow extends Error {
  readonly #outcome: Exclude<AttemptOutcome, Success>;
  constructor(outcome: Exclude<AttemptOutcome, Success>) {
    super("this body has no row");
    this.#outcome = outcome;
  }
  /** Touches nothing of what was thrown: bodies throw whatever they like. */
  static outcomeOf(thrown: unknown): Exclude<AttemptOutcome, Success> | undefined {
    return typeof thrown === "object" && thrown !== null && #outcome in thrown ? thrown.#outcome : undefined;
  }
}

async function subflowValue(body: SubflowBody, input: AttemptInput, signal: AbortSignal): Promise<unknown> {
  const { leaf, failures, resets, onUsage, toldOfRun } = input;
  const end = await input.subflows.run({ key: leaf.key, failures, resets, body, signal, onUsage, toldOfRun });
  if (end.kind === "value") return end.value;
  throw new NoRow(end.kind === "failed" ? { ...end, agentUnusable: false, quotaUntilMs: null } : end);
}

/** Q1. A row that does not fit is told before anybody is asked about the files. */
async function sandboxRow({ spec }: SandboxBody, input: AttemptInput, { bare, say }: Given): Promise<Row> {
  const { leaf, onHeartbeat, stop } = input;
  const sandbox = input.sandbox();
  const bundle = await needed(sandbox.sandboxes, leaf).run({
    ...bare,
    signal: stop.signal,
    spec,
    output: leaf.output.name,
    timeoutMs: leaf.timeoutMs,
    around: sandbox.around,
    beat: bare.heartbeat,
    say,
    note: sandbox.note,
  });
  const row = await parseRow(leaf.output.schema, bundle.output);
  stop.signal.throwIfAborted();
  if (bundle.files.length === 0) return row;
  onHeartbeat(recordable(row, bundle));
  throw new NoRow({ kind: "bundled", bundle, review: spec.review });
}

/** Q2 */
async function written({ row, files }: RecordedBundle, { leaf, sandbox, worktree }: AttemptInput): Promise<Row> {
  await needed(sandbox().sandboxes, leaf).apply(files, worktree);
  return rowFromJson(row);
}

async function agentRow(input: AttemptInput, { bare, say }: Given, prompt: string): Promise<Row> {
  const { leaf, agent, onUsage, clock, warning, stop } = input;
  if (!agent) throw new SmoothError("AGENT_CONFIG_INVALID", `no agent of task ${leaf.id} is usable any more`);
  const recalled = await input.recall(prompt);
  const { session, onSession: reportSession } = input;
  const asked = { ...recalled, prompt: warning + recalled.prompt, allowTools: leaf.allowTools, session, reportSession };
  const ports = { onUsage, onWords: say, nowMs: () => clock.now() };
  const context = { ...bare, signal: stop.signal };
  return (await runAgent({ agent, schema: leaf.output.schema, ...asked, ...ports }, context)) as Row;
}

/** null for tasks without an agent. */
function promptOf(input: AttemptInput, given: Given): string | null {
  const { leaf } = input;
  if (leaf.body.mode !== "agent") return null;
  const { prompt } = leaf.body;
  const text: unknown = typeof prompt === "function" ? prompt(withDeps(input, given) as never) : prompt;
  if (typeof text === "string") return text;
  if (React.isValidElement(text)) return elementText(withSchema(text, leaf.output.schema));
  throw new SmoothError("INVALID_INPUT", `the function child of task ${leaf.id} must return the prompt as text`);
}

function parseRow(schema: z.ZodObject, value: unknown): Row | Promise<Row> {
  const read = (parsed: z.ZodSafeParseResult<Row>): Row => {
    if (parsed.success) return parsed.data;
    throw new SmoothError("INVALID_OUTPUT", `the output does not match its schema: ${z.prettifyError(parsed.error)}`);
  };
  try {
    return read(schema.safeParse(value));
  } catch (error) {
    if (error instanceof z.core.$ZodAsyncError) return schema.safeParseAsync(value).then(read);
    throw error;
  }
}

/** A static row is recorded with its start, unless its schema needs a promise or refuses it: then it goes the long way. */
export function staticRow(leaf: TaskLeaf, value: unknown): Row | undefined {
  try {
    const row = parseRow(leaf.output.schema, value);
    return row instanceof Promise ? undefined : row;
  } catch {
    return undefined; // the attempt will report it
  }
}

function bareContext(input: AttemptInput, pulse: Pulse): Given["bare"] {
  const { leaf, attempt, runId, worktree, lastHeartbeat, onHeartbeat, ask, stop } = input;
  const { nodeId, iteration } = leaf;
  return {
    runId,
    nodeId,
    iteration,
    attempt,
    idempotencyKey: `${runId}:${leaf.key}`,
    worktree,
    lastHeartbeat,
    heartbeat(payload = null) {
      if (stop.aborted) return;
      pulse.beats += 1;
      onHeartbeat(checkedHeartbeat(payload, nodeId));
    },
    async ask(question) {
      pulse.asking += 1; // who waits for a person is not silent
      const answer = await ask(question, stop.signal).finally(() => (pulse.asking -= 1));
      return answer as never;
    },
  };
}

const MAX_HEARTBEAT_BYTES = 1024 * 1024;

function checkedHeartbeat(payload: JsonValue, nodeId: string): JsonValue {
  const text = serialise(payload, nodeId);
  const sizeBytes = sizeOf(text);
  if (sizeBytes > MAX_HEARTBEAT_BYTES)
    throw new SmoothError(
      "HEARTBEAT_PAYLOAD_TOO_LARGE",
      `the heartbeat of ${nodeId} is ${sizeBytes} bytes of JSON; the limit is ${MAX_HEARTBEAT_BYTES}`,
    );
  return JSON.parse(text) as JsonValue;
}

function serialise(payload: JsonValue, nodeId: string): string {
  try {
    const text = JSON.stringify(payload) as string | undefined;
    if (text !== undefined) return text;
  } catch (cause) {
    throw new SmoothError(
      "HEARTBEAT_PAYLOAD_NOT_JSON_SERIALIZABLE",
      `the heartbeat of ${nodeId} cannot be written as JSON`,
      { cause },
    );
  }
  throw new SmoothError(
    "HEARTBEAT_PAYLOAD_NOT_JSON_SERIALIZABLE",
    `the heartbeat of ${nodeId} cannot be written as JSON`,
  );
}

/** How long its Aspects let one attempt run. */
const sloMs = ({ aspects }: TaskLeaf): number | null =>
  aspects?.latency?.onExceeded === "fail" ? aspects.latency.perTask : null;

/** T1. Promises that only ever reject. */
function deadlines({ leaf, clock, stop }: AttemptInput, pulse: Pulse): Promise<never>[] {
  const { timeoutMs, heartbeatTimeoutMs, id } = leaf;
  const fail = (error: SmoothError): never => {
    if (!stop.aborted) pulse.missed = error;
    stop.abort(error);
    throw error;
  };
  const total = async (ms: number): Promise<never> => {
    await clock.sleep(ms, stop.signal);
    return fail(new SmoothError("TASK_TIMEOUT", `task ${id} ran longer than ${ms} ms`));
  };
  const silence = async (ms: number): Promise<never> => {
    for (let seen = -1; seen !== pulse.beats || pulse.asking > 0;) {
      seen = pulse.beats;
      await clock.sleep(ms, stop.signal);
    }
    return fail(new SmoothError("TASK_HEARTBEAT_TIMEOUT", `task ${id} gave no heartbeat for ${ms} ms`));
  };
  const slo = sloMs(leaf);
  const latency = async (ms: number): Promise<never> => {
    await clock.sleep(ms, stop.signal);
    return fail(new SmoothError("ASPECT_BUDGET_EXCEEDED", `task ${id} ran longer than its latency SLO of ${ms} ms`));
  };
  return [
    ...(slo === null ? [] : [latency(slo)]),
    ...(timeoutMs === null ? [] : [total(timeoutMs)]),
    ...(heartbeatTimeoutMs === null ? [] : [silence(heartbeatTimeoutMs)]),
  ];
}
