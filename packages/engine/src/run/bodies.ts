/** The bodies that run now: started after their commit, ended into outcomes that the loop records.
 *  B1. A heartbeat is kept at once, written at most every 500 ms, and the last one is never lost.
 *  B2. A fallback chain is tried to its end before a round counts as failed; an unusable agent is out for the rest of the run. */
import type { Clock, Log, Random } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import type { CacheAccess } from "../cache/through-cache.ts";
import { parseStateKey } from "../graph/identity.ts";
import type { TaskLeaf } from "../graph/plan.ts";
import type { JsonValue } from "../outputs/json.ts";
import type { MemoryStore } from "../memory/port.ts";
import { recall, type Recalled, type RecallNote } from "../memory/recall.ts";
import type { OutputRows } from "../outputs/rows.ts";
import { nextDelayMs } from "../schedule/retry.ts";
import type { Heartbeat, RunStore } from "../store/port.ts";
import { askFrom } from "./waits/ask.ts";
import { failure, runAttempt, type AttemptInput, type AttemptOutcome, type Failure } from "../task/attempt.ts";
import { aroundFiles, type FilesInput } from "../task/around-files.ts";
import { AgentWords } from "../task/agent-words.ts";
import type { AgentLike } from "../task/body.ts";
import { openToolLog, repeatWarning, type AroundBody, type ToolLog } from "../task/tool-log.ts";
import { peekText } from "../task/peek.ts";
import type { TokenUsage } from "../task/usage.ts";
import { workflowNamespace } from "./aftermath.ts";
import type { Doorbell } from "./doorbell.ts";
import type { RunEventBody } from "./events.ts";
import type { Worktrees } from "../task/worktrees.ts";
import type { Subflows } from "./subflow.ts";
import { engineOf, refused } from "./waits/hijack.ts";
import { triesOf, type RunState } from "./state.ts";

export interface BodiesInput {
  readonly runId: string;
  readonly store: RunStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly rows: OutputRows;
  readonly state: RunState;
  /** Last heartbeat per state key, as the store has them. */
  readonly heartbeats: Map<string, JsonValue>;
  readonly memory: MemoryStore | null;
  readonly cache: CacheAccess;
  readonly around: AroundBody;
  /** What agents edit; null: it is not under version control. */
  readonly files: FilesInput | null;
  readonly log: Log;
  readonly subflows: Subflows;
  readonly worktrees: Worktrees | null;
}

export interface Body {
  readonly leaf: TaskLeaf;
  readonly attempt: number;
  readonly abort: AbortController;
  readonly agent: AgentLike | null;
  readonly startedAtMs: number;
}

export interface EndedBody {
  readonly body: Body;
  readonly outcome: AttemptOutcome;
  /** It ended because a person takes its session over. */
  readonly handedOver: boolean;
}

const HEARTBEAT_THROTTLE_MS = 500;
const MAX_SESSION = 64 * 1024;
/** How long aborted bodies may take to notice; ENGINE §7. */
export const DRAIN_MS = 5_000;

const gaveUp = (reason: SmoothError): Failure => ({
  kind: "failed",
  error: { code: reason.code, message: reason.message },
  retryable: false,
  agentUnusable: false,
  quotaUntilMs: null,
});

export class Bodies {
  readonly #in: BodiesInput;
  readonly #bell: Doorbell;
  readonly #over: AbortSignal;
  readonly #live = new Map<string, Body>();
  readonly #unusable = new Set<AgentLike>();
  /** Bodies whose session a person takes over, and how many tools each body has at work. */
  readonly #leaving = new Set<Body>();
  readonly #calling = new WeakMap<Body, number>();
  /** When the quota of an agent begins anew. */
  readonly #quotas = new Map<AgentLike, number>();
  /** Beats not written yet. */
  readonly #beats = new Map<string, JsonValue>();
  #dueBeats: Heartbeat[] = [];
  #notes: RunEventBody[] = [];
  /** Who waits until its note is taken, and who until it is durable. */
  readonly #awaited: (() => void)[] = [];
  readonly #taken: (() => void)[] = [];
  #ended: EndedBody[] = [];

  /** `over` aborts when the run leaves this process. */
  constructor(input: BodiesInput, bell: Doorbell, over: AbortSignal) {
    this.#in = input;
    this.#bell = bell;
    this.#over = over;
  }

  get size(): number {
    return this.#live.size;
  }

  get live(): readonly Body[] {
    return [...this.#live.values()];
  }

  abort(reason: unknown): void {
    for (const { abort } of this.#live.values()) abort.abort(reason);
  }

  /** Stops some; one that does not notice within the drain time counts as ended, and what it says later is not heard. */
  giveUp(given: (leaf: TaskLeaf) => boolean, reason: SmoothError): void {
    for (const body of this.#live.values()) {
      if (!given(body.leaf) || body.abort.signal.aborted) continue;
      body.abort.abort(reason);
      this.#bell.after(DRAIN_MS, this.#over, () => this.#end(body, gaveUp(reason)));
    }
  }

  /** A body ends once. */
  #end(body: Body, outcome: AttemptOutcome): void {
    if (this.#live.get(body.leaf.key) !== body || this.#ended.some((other) => other.body === body)) return;
    this.#ended.push({ body, outcome, handedOver: this.#leaving.delete(body) });
  }

  /** `workflow`: the name its own facts are remembered under. */
  launch(leaf: TaskLeaf, attempt: number, workflow: string): void {
    const { runId, clock, rows, heartbeats, state, cache, around, subflows } = this.#in;
    const agent = this.#nextAgent(leaf);
    const body: Body = { leaf, attempt, agent, abort: new AbortController(), startedAtMs: clock.now() };
    this.#live.set(leaf.key, body);
    const words = this.#words(body);
    void this.#inWorktree(body, {
      leaf,
      attempt,
      runId,
      agent,
      clock,
      cache,
      deps: Object.fromEntries(leaf.deps.map((dep) => [dep.name, rows.get(dep.output.name, dep.key)])),
      signal: body.abort.signal,
      lastHeartbeat: heartbeats.get(leaf.key) ?? null,
      onHeartbeat: (payload) => this.#heartbeat(leaf.key, payload),
      ask: askFrom({ ...this.#in, note: (event) => this.#note(event) }, leaf),
      onWords: (stream, text) => words.say(stream, text),
      onUsage: (usage) => {
        this.#notes.push(usageEvent(body, usage));
        this.#bell.ring();
      },
      recall: (prompt) => this.#recall(body, prompt, workflow),
      around,
      toolLog: this.#toolLog(body),
      subflows,
      failures: triesOf(state.nodes.get(leaf.key)).failures,
      warning: repeatWarning(state.tools.get(leaf.key)),
      session: state.hijacks.get(leaf.key)?.session ?? null,
      onSession: (session) => this.#session(body, session),
    }).then((outcome) => {
      words.flush();
      this.#end(body, outcome);
      this.#bell.ring();
    });
  }

  /** Those that ended since the last call, in that order. */
  takeEnded(): readonly EndedBody[] {
    const ended = this.#ended;
    this.#ended = [];
    for (const { body, outcome } of ended) {
      this.#live.delete(body.leaf.key);
      if (outcome.kind === "failed" && outcome.agentUnusable && body.agent) this.#unusable.add(body.agent);
      const beat = this.#beats.get(body.leaf.key);
      if (beat !== undefined) this.#dueBeats.push({ ...parseStateKey(body.leaf.key), payload: beat });
      this.#beats.delete(body.leaf.key);
    }
    return ended;
  }

  /** What recalling and tools noted since the last call, as events. */
  takeNotes(): readonly RunEventBody[] {
    const notes = this.#notes;
    this.#notes = [];
    this.#taken.push(...this.#awaited.splice(0));
    return notes;
  }

  /** The heartbeats to write with the next flush. */
  takeBeats(): readonly Heartbeat[] {
    const due = this.#dueBeats;
    this.#dueBeats = [];
    return due;
  }

  /** B2. When a failed attempt is tried again; null: never. */
  retryAtMs(leaf: TaskLeaf, { retryable, agentUnusable }: Failure): number | null {
    const { clock, random, state } = this.#in;
    const chain = this.#usableAgents(leaf).length;
    if (agentUnusable && chain > 0) return clock.now();
    const failures = triesOf(state.nodes.get(leaf.key)).failures + 1;
    const perRound = Math.max(1, chain);
    if (failures % perRound !== 0) return clock.now();
    if (!retryable) return null;
    const round = failures / perRound;
    return round > leaf.retry.retries ? null : clock.now() + nextDelayMs(leaf.retry, round, random);
  }

  /** Everything taken with the notes so far is durable. */
  recorded(): void {
    for (const resolve of this.#taken.splice(0)) resolve();
  }

  async #inWorktree(body: Body, input: Omit<AttemptInput, "worktree">): Promise<AttemptOutcome> {
    const { worktrees, runId } = this.#in;
    const spec = body.leaf.worktree;
    if (!spec) return this.#amidFiles(body, { ...input, worktree: null });
    try {
      if (!worktrees)
        throw new SmoothError("VCS_FAILED", `there is no repository to make worktree ${spec.id} of`, {
          details: { failureRetryable: false },
        });
      const { path } = await worktrees.open(spec, runId);
      return await this.#amidFiles(body, { ...input, worktree: { id: spec.id, branch: spec.branch, path } });
    } catch (error) {
      return failure(error, body);
    }
  }

  #amidFiles({ leaf, attempt }: Body, input: AttemptInput): Promise<AttemptOutcome> {
    const { files, log } = this.#in;
    const ref = { nodeId: leaf.nodeId, iteration: leaf.iteration, attempt };
    const root = input.worktree?.path ?? files?.root;
    const edits = leaf.body.mode === "agent" && files && root ? { ...files, root } : null; // a name costs about what ten compute steps do
    return aroundFiles(edits, { ref, log, note: (event) => void this.#notes.push(event) }, () => runAttempt(input));
  }

  #words({ leaf: { nodeId, iteration }, attempt }: Body): AgentWords {
    const note = (event: RunEventBody): void => void this.#notes.push(event);
    return new AgentWords(
      { nodeId, iteration, attempt },
      { note, later: (ms, first) => this.#bell.after(ms, this.#over, first) },
    );
  }

  /** Ends the attempt as soon as none of its tools is at work. */
  handOver(key: string): void {
    const body = this.#live.get(key);
    if (!body) return;
    if (engineOf(body.leaf) === null) return void this.#notes.push(refused(body.leaf));
    this.#leaving.add(body);
    this.#letGo(body);
  }

  #letGo(body: Body): void {
    if (this.#leaving.has(body) && (this.#calling.get(body) ?? 0) === 0)
      this.giveUp((leaf) => leaf === body.leaf, new SmoothError("TASK_ABORTED", "a person takes the session over"));
  }

  #noteCall(body: Body, event: RunEventBody): void {
    const step = event.type === "tool.started" ? 1 : -1;
    this.#calling.set(body, (this.#calling.get(body) ?? 0) + step);
    this.#notes.push(event);
    this.#letGo(body);
    this.#bell.ring();
  }

  #session({ leaf, attempt }: Body, session: JsonValue): void {
    const { nodeId, iteration, key, id } = leaf;
    const size = JSON.stringify(session).length;
    if (size > MAX_SESSION)
      throw new SmoothError(
        "PAYLOAD_TOO_LARGE",
        `the session of task ${id} is ${size} characters of JSON; the limit is ${MAX_SESSION}`,
      );
    if (JSON.stringify(this.#in.state.hijacks.get(key)?.session) === JSON.stringify(session)) return;
    this.#notes.push({ type: "agent.session", nodeId, iteration, attempt, session });
    this.#bell.ring();
  }

  #note(event: RunEventBody): void {
    this.#notes.push(event);
    this.#bell.ring();
  }

  #toolLog(body: Body): ToolLog {
    const { leaf, attempt } = body;
    const ports = {
      nowMs: () => this.#in.clock.now(),
      note: (event: RunEventBody) => this.#noteCall(body, event),
      recorded: () => new Promise<void>((resolve) => this.#awaited.push(resolve)),
    };
    return openToolLog({ nodeId: leaf.nodeId, iteration: leaf.iteration, attempt }, ports);
  }

  async #recall({ leaf, attempt }: Body, prompt: string, workflow: string): Promise<Recalled> {
    const { nodeId, iteration } = leaf;
    const note = (noted: RecallNote): void =>
      void this.#notes.push(
        noted.kind === "recalled"
          ? { type: "memory.recalled", nodeId, iteration, attempt, namespace: noted.namespace, keys: [...noted.keys] }
          : { type: "memory.failed", nodeId, iteration, during: "recall", error: noted.error },
      );
    return recall(leaf.memory ?? {}, prompt, {
      memory: this.#in.memory,
      ownNamespace: workflowNamespace(workflow),
      note,
    });
  }

  /** The task waits: for another agent of its chain not at all. */
  quotaUsedUp({ leaf, agent }: Body, untilMs: number, reason: string): RunEventBody {
    const { nodeId, iteration } = leaf;
    if (agent) this.#quotas.set(agent, untilMs);
    const nowMs = this.#in.clock.now();
    const ends = this.#usableAgents(leaf).map((other) => Math.max(this.#quotas.get(other) ?? 0, nowMs));
    const dueMs = agent ? Math.min(...ends) : untilMs;
    return { type: "wait.opened", nodeId, iteration, on: { kind: "quota", dueMs, reason } };
  }

  /** B2, passing over those whose quota is used up. */
  #nextAgent(leaf: TaskLeaf): AgentLike | null {
    const { clock, state } = this.#in;
    const usable = this.#usableAgents(leaf);
    const first = triesOf(state.nodes.get(leaf.key)).failures % usable.length;
    const inTurn = [...usable.slice(first), ...usable.slice(0, first)];
    return inTurn.find((agent) => (this.#quotas.get(agent) ?? 0) <= clock.now()) ?? inTurn[0] ?? null;
  }

  #usableAgents(leaf: TaskLeaf): readonly AgentLike[] {
    return leaf.body.mode === "agent" ? leaf.body.agents.filter((agent) => !this.#unusable.has(agent)) : [];
  }

  /** B1 */
  #heartbeat(key: string, payload: JsonValue): void {
    this.#in.heartbeats.set(key, payload);
    const first = this.#beats.size === 0;
    this.#beats.set(key, payload);
    if (!first) return;
    this.#bell.after(HEARTBEAT_THROTTLE_MS, this.#over, () => {
      for (const [beating, last] of this.#beats) this.#dueBeats.push({ ...parseStateKey(beating), payload: last });
      this.#beats.clear();
    });
  }
}

const usageEvent = ({ leaf, attempt, agent }: Body, usage: TokenUsage): RunEventBody => ({
  type: "node.usage",
  nodeId: leaf.nodeId,
  iteration: leaf.iteration,
  attempt,
  agent: peekText(agent, "id")?.slice(0, 200) ?? null,
  ...usage,
});
