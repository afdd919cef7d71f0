/** The fold from events to what the schedule needs. Live runs and resumed runs use the same fold, so they cannot differ. */
import { assertNever } from "@smooth/protocol/errors";
import type { Plan, PlanLeaf } from "../graph/plan.ts";
import { localId, stateKey } from "../graph/identity.ts";
import { rememberCall, type ToolHistory } from "../task/tool-log.ts";
import { addUsage, NO_USAGE, type UsageTotals } from "../task/usage.ts";
import { LateMap, type Keyed } from "./late-map.ts";
import { applyAftermath, type Aftermaths } from "./aftermath-state.ts";
import type { ErrorInfo, RunEventBody, WaitOn } from "./events.ts";
import { applyHijack, takeHijack, type Hijacks } from "./waits/hijack.ts";
import { applySignal, type Signals } from "./waits/signal.ts";

/** `failures` counts attempts that failed; an attempt cut off by a crash is not one of them. `failedBy`: those of each agent, by its
 *  place in the task's chain. */
interface Tries {
  readonly attempt: number;
  readonly failures: number;
  readonly failedBy: readonly number[];
}

export type NodeState =
  | ({ readonly kind: "running" } & Tries)
  /** The owner died while the body ran: free to start again, with a higher attempt. */
  | ({ readonly kind: "interrupted" } & Tries)
  | ({ readonly kind: "backing-off"; readonly dueMs: number } & Tries)
  /** `tries`: of a task that was at work before. */
  | { readonly kind: "waiting"; readonly on: WaitOn; readonly tries?: Tries }
  /** What held a task back is over: free to start. */
  | ({ readonly kind: "cleared"; readonly of: WaitOn["kind"] | null } & Tries)
  | { readonly kind: "finished" }
  /** `cascades`: what depends on it is skipped too (a denied approval), instead of blocking the run. */
  | { readonly kind: "skipped"; readonly cascades: boolean }
  | { readonly kind: "failed"; readonly error: ErrorInfo }
  | { readonly kind: "cancelled" };

/** A scope of which a part failed. `at` is the part that runs now; after `finally` the error goes on outward. */
export interface ScopeState {
  readonly at: "catch" | "finally";
  readonly error: ErrorInfo;
  readonly completed: readonly string[];
}

export interface RunState {
  readonly nodes: Map<string, NodeState>;
  /** Who wants it paused, and whether it has been: then whoever takes it up goes on with it. */
  readonly pause: { by: string | null; done: boolean };
  /** Those of `nodes` that wait, in the order they began to, so that nobody has to search for them. */
  readonly waiting: Keyed<WaitOn>;
  /** Those of `nodes` that run, for the same reason. */
  readonly running: Set<string>;
  readonly loops: Keyed<number>;
  /** Tokens per state key, over all attempts. */
  readonly usage: Keyed<UsageTotals>;
  /** By the runs that this one continues. */
  spentBefore: { readonly elapsedMs: number; readonly usage: UsageTotals };
  /** Of `usage`, what was told of runs that are the body of a node, by run. */
  readonly usageOfRuns: Keyed<UsageTotals>;
  /** How often a node was sent back to before its first attempt: what it began then is not its own any more. */
  readonly resets: Keyed<number>;
  /** Only scopes that failed: the others run their body, then their `finally`. */
  readonly scopes: Keyed<ScopeState>;
  /** Calls of tools with side effects per state key, over all attempts. */
  readonly tools: Keyed<ToolHistory>;
  /** Results that are not scored and remembered yet, by state key. */
  readonly aftermath: Aftermaths;
  readonly signals: Signals;
  /** Answers that did not fit, per node that waits for a person. */
  readonly rejected: Keyed<number>;
  /** Per state key: sessions of agents, and who has or wants them. */
  readonly hijacks: Hijacks;
  /** Agents that are of no use in this run: the id an author gave a task → places in its chain. */
  readonly unusable: Keyed<Set<number>>;
  /** Steps whose sandbox has run, and whose files are not all written. */
  readonly bundled: Set<string>;
  /** The last due time of each timer node: where the next beat of an `every` counts from. */
  readonly timers: Keyed<number>;
  /** Why nothing new is started, although it could be (`waiting-disk`). */
  parked: { readonly on: "disk"; readonly freeBytes: number } | null;
}

export const emptyState = (): RunState => ({
  nodes: new Map(),
  pause: { by: null, done: false },
  waiting: new LateMap(),
  running: new Set(),
  loops: new LateMap(),
  usage: new LateMap(),
  spentBefore: { elapsedMs: 0, usage: NO_USAGE },
  usageOfRuns: new LateMap(),
  resets: new LateMap(),
  scopes: new LateMap(),
  tools: new LateMap(),
  aftermath: new LateMap(),
  rejected: new LateMap(),
  hijacks: new LateMap(),
  bundled: new Set(),
  signals: { received: [], used: new Set() },
  timers: new LateMap(),
  unusable: new LateMap(),
  parked: null,
});

const NONE: readonly number[] = [];
const NO_TRIES: Tries = { attempt: 0, failures: 0, failedBy: NONE };
export function triesOf(state: NodeState | undefined): Tries {
  if (state?.kind === "waiting") return state.tries ?? NO_TRIES;
  if (!state || !("attempt" in state)) return NO_TRIES;
  const { attempt, failures, failedBy } = state;
  return { attempt, failures, failedBy };
}

export const countFailure = (failedBy: readonly number[], place: number): readonly number[] =>
  Array.from({ length: Math.max(failedBy.length, place + 1) }, (_, at) => (failedBy[at] ?? 0) + (at === place ? 1 : 0));

/** Answers the key of the node that stands otherwise now, where the event is about one. */
export function applyEvent(state: RunState, event: RunEventBody): string | undefined {
  if (isAboutNode(event)) return applyToNode(state, event);
  applyOther(state, event);
  return undefined;
}

const ABOUT_NODE = [
  "node.started",
  "node.finished",
  "node.failed",
  "node.skipped",
  "node.cancelled",
  "approval.opened",
  "wait.opened",
  "wait.over",
  "sandbox.bundled",
] as const;
type AboutNode = Extract<RunEventBody, { type: (typeof ABOUT_NODE)[number] }>;
const ABOUT: ReadonlySet<string> = new Set(ABOUT_NODE);
const isAboutNode = (event: RunEventBody): event is AboutNode => ABOUT.has(event.type);

function applyToNode(state: RunState, event: AboutNode): string | undefined {
  if (event.type === "wait.opened") return beginWait(state, event);
  if (event.type === "sandbox.bundled") return bundle(state, event);
  const key = stateKey(event);
  if (event.type === "node.failed") leaveOut(state.unusable, event);
  put(state, key, nodeState(event, state.nodes.get(key)));
  return key;
}

function applyOther(state: RunState, event: Exclude<RunEventBody, AboutNode>): void {
  if (isAboutRun(event)) return applyToRun(state, event);
  if (isToldOnly(event)) return;
  switch (event.type) {
    case "agent.session":
    case "hijack.requested":
    case "hijack.refused":
    case "hijack.ended":
      return applyHijack(state.hijacks, event);
    case "node.usage":
      return countUsage(state, event);
    case "tool.started":
      return noteCall(state.tools, event);
    case "loop.advanced":
      return void state.loops.set(event.loopId, event.iteration);
    case "scope.failed":
      return failScope(state.scopes, event);
    case "nodes.reset":
      return reset(state, event);
    case "human.rejected":
      return countRejected(state.rejected, stateKey(event));
    case "signal.received":
    case "signal.used":
    case "signal.rejected":
      return applySignal(state.signals, event);
    case "aftermath.due":
    case "score.recorded":
    case "score.failed":
    case "memory.remembered":
    case "memory.failed":
      return applyAftermath(state.aftermath, event);
    default:
      assertNever(event);
  }
}

/** For those who read the log: nothing here depends on them. */
const TOLD_ONLY = [
  "memory.recalled",
  "node.output",
  "sandbox.created",
  "sandbox.shipped",
  "sandbox.completed",
  "alert.raised",
  "alert.reacted",
  "approval.decided",
  "human.asked",
  "tool.finished",
  "vcs.pointer",
  "vcs.restored",
] as const;
type ToldOnly = Extract<RunEventBody, { type: (typeof TOLD_ONLY)[number] }>;
const TOLD: ReadonlySet<string> = new Set(TOLD_ONLY);
const isToldOnly = (event: Exclude<RunEventBody, AboutNode>): event is ToldOnly => TOLD.has(event.type);

type AboutRun = Extract<RunEventBody, { type: `run.${string}` }>;
const isAboutRun = (event: Exclude<RunEventBody, AboutNode>): event is AboutRun => event.type.startsWith("run.");

function applyToRun(state: RunState, event: AboutRun): void {
  switch (event.type) {
    case "run.pause-requested":
    case "run.unpaused":
    case "run.status":
      return applyPause(state.pause, event);
    case "run.claimed":
      return interrupt(state);
    case "run.parked":
    case "run.unparked":
      return park(state, event);
    case "run.reloaded":
    case "run.change-accepted":
      return state.unusable.clear(); // the chains may be others
    case "run.continues":
      return void (state.spentBefore = { elapsedMs: event.elapsedMs, usage: event.usage });
    case "run.started":
    case "run.reload-refused":
    case "run.resume-failed":
    case "run.given-up":
    case "run.forked":
      return;
    default:
      assertNever(event);
  }
}

function park(state: RunState, event: Extract<RunEventBody, { type: "run.parked" | "run.unparked" }>): void {
  state.parked = event.type === "run.parked" ? { on: event.on, freeBytes: event.freeBytes } : null;
}

/** The state as the log tells it. */
export function foldEvents(events: Iterable<RunEventBody>): RunState {
  const state = emptyState();
  for (const event of events) applyEvent(state, event);
  return state;
}

type NodeChange = Exclude<AboutNode, { type: "wait.opened" | "sandbox.bundled" }>;

function nodeState(event: NodeChange, before: NodeState | undefined): NodeState {
  const { failures, failedBy } = triesOf(before);
  switch (event.type) {
    case "node.started":
      return { kind: "running", attempt: event.attempt, failures, failedBy };
    case "node.finished":
      return { kind: "finished" };
    case "node.failed":
      return failedState(event, { failures, failedBy });
    case "node.skipped":
      return { kind: "skipped", cascades: event.cascades };
    case "node.cancelled":
      return { kind: "cancelled" };
    case "wait.over":
      return { kind: "cleared", of: before?.kind === "waiting" ? before.on.kind : null, ...triesOf(before) };
    case "approval.opened": {
      const on = { kind: "approval", dueMs: event.dueMs, again: event.again } as const;
      return { kind: "waiting", on, tries: triesOf(before) };
    }
  }
}

function failScope(scopes: RunState["scopes"], event: Extract<RunEventBody, { type: "scope.failed" }>): void {
  const { scopeId, next: at, error, completed } = event;
  scopes.set(scopeId, { at, error, completed });
}

function beginWait(state: RunState, event: Extract<RunEventBody, { type: "wait.opened" }>): string {
  const key = stateKey(event);
  put(state, key, { kind: "waiting", on: event.on, tries: triesOf(state.nodes.get(key)) });
  if (event.on.kind === "hijack") takeHijack(state.hijacks, key);
  if (event.on.kind === "timer") state.timers.set(event.nodeId, event.on.dueMs);
  return key;
}

/** Its attempt is over, and free for the next one to write the files; unless somebody is asked first. */
function bundle(state: RunState, event: Extract<RunEventBody, { type: "sandbox.bundled" }>): string | undefined {
  const key = stateKey(event);
  state.bundled.add(key);
  if (event.review) return undefined;
  put(state, key, { kind: "cleared", of: null, ...triesOf(state.nodes.get(key)) });
  return key;
}

function countUsage({ usage, usageOfRuns }: RunState, event: Extract<RunEventBody, { type: "node.usage" }>): void {
  const key = stateKey(event);
  usage.set(key, addUsage(event, usage.get(key)));
  const { ofRun } = event;
  if (ofRun !== undefined) usageOfRuns.set(ofRun, addUsage(event, usageOfRuns.get(ofRun)));
}

const countRejected = (rejected: RunState["rejected"], key: string): void =>
  void rejected.set(key, (rejected.get(key) ?? 0) + 1);

function put({ nodes, waiting, running }: RunState, key: string, node: NodeState): void {
  nodes.set(key, node);
  if (node.kind === "running") running.add(key);
  else running.delete(key);
  if (node.kind === "waiting") waiting.set(key, node.on);
  else waiting.delete(key);
}

function failedState(event: NodeFailed, { failures, failedBy }: Omit<Tries, "attempt">): NodeState {
  if (event.retryAtMs === null) return { kind: "failed", error: event.error };
  const { attempt, retryAtMs: dueMs, agentAt } = event;
  const counted = agentAt === undefined ? failedBy : countFailure(failedBy, agentAt);
  return { kind: "backing-off", attempt, failures: failures + 1, failedBy: counted, dueMs };
}

type NodeFailed = Extract<RunEventBody, { type: "node.failed" }>;

function leaveOut(unusable: RunState["unusable"], { nodeId, agentAt, agentUnusable }: NodeFailed): void {
  if (agentAt === undefined || !agentUnusable) return;
  const id = localId(nodeId);
  unusable.set(id, (unusable.get(id) ?? new Set()).add(agentAt));
}

/** Pending again, as for the first time: a person may have mended what was wrong with an agent. Where attempts were made, their number is kept: the next one is higher. */
function reset(state: RunState, { nodes, loops, scopes }: Extract<RunEventBody, { type: "nodes.reset" }>): void {
  state.unusable.clear();
  for (const node of nodes) {
    const key = stateKey(node);
    state.aftermath.delete(key);
    state.waiting.delete(key);
    state.rejected.delete(key);
    state.hijacks.delete(key);
    state.resets.set(key, (state.resets.get(key) ?? 0) + 1);
    state.bundled.delete(key);
    state.running.delete(key);
    state.timers.delete(node.nodeId);
    if (node.attempt === 0) state.nodes.delete(key);
    else state.nodes.set(key, { kind: "interrupted", attempt: node.attempt, failures: 0, failedBy: NONE });
  }
  for (const { loopId, iteration } of loops) {
    if (iteration === null) state.loops.delete(loopId);
    else state.loops.set(loopId, iteration);
  }
  for (const { scopeId, failed } of scopes) {
    if (failed === null) state.scopes.delete(scopeId);
    else state.scopes.set(scopeId, { at: failed.next, error: failed.error, completed: failed.completed });
  }
}

/** Bodies that ran are lost; subflows that waited are looked at again. */
type PauseEvent = Extract<RunEventBody, { type: "run.pause-requested" | "run.unpaused" | "run.status" }>;

function applyPause(pause: RunState["pause"], event: PauseEvent): void {
  if (event.type === "run.pause-requested") Object.assign(pause, { by: event.by, done: false });
  else if (event.type === "run.unpaused") Object.assign(pause, { by: null, done: false });
  else pause.done = event.status === "paused";
}

function interrupt(state: RunState): void {
  state.parked = null; // the new owner looks for itself
  if (state.pause.done) Object.assign(state.pause, { by: null, done: false });
  for (const [key, node] of state.nodes)
    if (node.kind === "running" || (node.kind === "waiting" && node.on.kind === "run"))
      put(state, key, { kind: "interrupted", ...triesOf(node) });
}

function noteCall(tools: RunState["tools"], event: Extract<RunEventBody, { type: "tool.started" }>): void {
  const key = stateKey(event);
  if (event.sideEffect || !event.idempotent) tools.set(key, rememberCall(tools.get(key), event));
}

/** Leaves that are at work without a body: they wait, or were about to start. */
export const idleLeaves = (
  plan: Pick<Plan, "leaves"> | undefined,
  { nodes, waiting, running }: RunState,
  launched: ReadonlySet<string>,
): readonly { readonly leaf: PlanLeaf; readonly attempt: number }[] =>
  [...waiting.keys(), ...running].flatMap((key) => {
    const leaf = plan?.leaves.get(key);
    return leaf && !launched.has(key) ? [{ leaf, attempt: Math.max(1, triesOf(nodes.get(key)).attempt) }] : [];
  });
