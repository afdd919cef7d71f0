/** The bodies that run now: started after their commit, ended into outcomes that the loop records.
 *  A body ends once: one that does not notice within the drain time counts as ended, and what it says later is not heard.
 *  One whose session a person takes over ends as soon as none of its tools is at work (J1, waits/hijack.ts).
 *  Its heartbeats are B1 (heartbeats.ts), the choice of its agent B2 (agent-chain.ts), where it works is workplace.ts. */
import type { Clock, Log } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import type { CacheAccess } from "../cache/through-cache.ts";
import type { TaskLeaf } from "../graph/plan.ts";
import { sizeOf, type JsonValue } from "../outputs/json.ts";
import type { MemoryStore } from "../memory/port.ts";
import { recall, type Recalled, type RecallNote } from "../memory/recall.ts";
import type { WorkflowDefinition } from "../render/workflow.ts";
import type { OutputRows } from "../outputs/rows.ts";
import type { Heartbeat, RunStore } from "../store/port.ts";
import { askFrom, type AskPorts } from "./waits/ask.ts";
import { NO_DEPS, type AttemptInput, type AttemptOutcome } from "../task/attempt.ts";
import type { Failure } from "../task/failure.ts";
import type { FilesInput } from "../task/around-files.ts";
import type { Sandboxes } from "../task/sandboxes.ts";
import { AgentWords } from "../task/agent-words.ts";
import { Stop } from "../task/stop.ts";
import type { AgentLike } from "../task/body.ts";
import { openToolLog, repeatWarning, type AroundBody, type ToolLog } from "../task/tool-log.ts";
import { peekText } from "../task/peek.ts";
import type { TokenUsage } from "../task/usage.ts";
import type { AgentChains } from "./agent-chain.ts";
import { workflowNamespace } from "./aftermath.ts";
import type { Doorbell } from "./doorbell.ts";
import type { RunEventBody } from "./events.ts";
import { Heartbeats } from "./heartbeats.ts";
import type { Keyed } from "./late-map.ts";
import { Notes } from "./notes.ts";
import type { Worktrees } from "../task/worktrees.ts";
import type { RunOrigin } from "./continuation.ts";
import { recordedBundle, surroundingsOf, type SandboxAccess } from "./sandbox.ts";
import type { Subflows } from "./subflow.ts";
import { engineOf, refused } from "./waits/hijack.ts";
import { triesOf, type RunState } from "./state.ts";
import { runInPlace, type WorkplaceInput } from "./workplace.ts";

export interface BodiesInput {
  readonly runId: string;
  readonly store: RunStore;
  readonly clock: Clock;
  readonly rows: OutputRows;
  readonly state: RunState;
  /** Last heartbeat per state key, as the store has them. */
  readonly heartbeats: Keyed<JsonValue>;
  readonly memory: MemoryStore | null;
  readonly around: AroundBody;
  /** What agents edit; null: it is not under version control. */
  readonly files: FilesInput | null;
  readonly log: Log;
  readonly subflows: Subflows;
  /** Null: tasks inside a <Worktree> fail. */
  readonly worktrees: Worktrees | null;
  /** Null: steps that are a <Sandbox> fail. */
  readonly sandboxes: Sandboxes | null;
  readonly workflow: WorkflowDefinition;
  readonly origin: RunOrigin;
}

export interface BodiesParts {
  readonly agents: AgentChains;
  readonly cache: CacheAccess;
  readonly bell: Doorbell;
  /** Aborts when the run leaves this process. */
  readonly over: Stop;
}

export interface Body {
  readonly leaf: TaskLeaf;
  readonly attempt: number;
  readonly stop: Stop;
  readonly agent: AgentLike | null;
  readonly startedAtMs: number;
  /** How many of its tools are at work. */
  calling: number;
}

export interface EndedBody {
  readonly body: Body;
  readonly outcome: AttemptOutcome;
  /** It ended because a person takes its session over. */
  readonly handedOver: boolean;
}

const MAX_SESSION_BYTES = 64 * 1024;
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
  readonly #parts: BodiesParts;
  readonly #bell: Doorbell;
  readonly #over: Stop;
  readonly #live = new Map<string, Body>();
  readonly #beats: Heartbeats;
  readonly #notes: Notes;
  readonly #place: WorkplaceInput;
  readonly #asking: AskPorts;
  /** Bodies whose session a person takes over. */
  readonly #leaving = new Set<Body>();
  /** What each body reported last; the state hears of it with the next flush. */
  readonly #sessions = new WeakMap<Body, string>();
  #ended: EndedBody[] = [];

  constructor(input: BodiesInput, parts: BodiesParts) {
    const { bell, over } = parts;
    this.#in = input;
    this.#parts = parts;
    this.#bell = bell;
    this.#over = over;
    this.#beats = new Heartbeats(input.heartbeats, bell, over);
    this.#notes = new Notes(bell);
    const { runId, log, files, worktrees, store, clock } = input;
    this.#place = { runId, log, files, worktrees, note: this.#notes.add };
    this.#asking = { store, clock, runId, note: this.#notes.tell };
  }

  get size(): number {
    return this.#live.size;
  }

  get live(): readonly Body[] {
    return [...this.#live.values()];
  }

  abort(reason: unknown): void {
    for (const { stop } of this.#live.values()) stop.abort(reason);
  }

  /** Stops some; those that do not notice count as ended after the drain time. */
  giveUp(given: (leaf: TaskLeaf) => boolean, because: () => SmoothError): void {
    for (const body of this.#live.values()) {
      if (!given(body.leaf) || body.stop.aborted) continue;
      const reason = because();
      body.stop.abort(reason);
      this.#bell.after(DRAIN_MS, this.#over.signal, () => this.#end(body, gaveUp(reason)));
    }
  }

  #end(body: Body, outcome: AttemptOutcome): void {
    if (this.#live.get(body.leaf.key) !== body || this.#ended.some((other) => other.body === body)) return;
    this.#ended.push({ body, outcome, handedOver: this.#leaving.delete(body) });
  }

  /** `workflow`: the name its own facts are remembered under. */
  launch(leaf: TaskLeaf, attempt: number, workflow: string): void {
    const { runId, clock, rows, state, around, subflows } = this.#in;
    const { agents, cache } = this.#parts;
    const agent = agents.next(leaf);
    const body: Body = { leaf, attempt, agent, stop: new Stop(), startedAtMs: clock.now(), calling: 0 };
    this.#live.set(leaf.key, body);
    let words: AgentWords | undefined;
    void runInPlace(this.#place, {
      leaf,
      attempt,
      runId,
      agent,
      clock,
      cache,
      deps: depsOf(leaf, rows),
      worktree: null,
      stop: body.stop,
      lastHeartbeat: this.#beats.last(leaf.key),
      onHeartbeat: (payload) => this.#beats.keep(leaf.key, payload),
      ask: askFrom(this.#asking, leaf),
      onWords: (stream, text) => (words ??= this.#words(body)).say(stream, text),
      onUsage: (usage, ofRun) => this.#notes.tell(usageEvent(body, usage, ofRun)),
      resets: state.resets.get(leaf.key) ?? 0,
      toldOfRun: (childRunId) => state.usageOfRuns.get(childRunId),
      recall: (prompt) => this.#recall(body, prompt, workflow),
      around,
      toolLog: this.#toolLog(body),
      subflows,
      failures: triesOf(state.nodes.get(leaf.key)).failures,
      warning: repeatWarning(state.tools.get(leaf.key)),
      sandbox: () => this.#sandbox(body),
      session: state.hijacks.get(leaf.key)?.session ?? null,
      onSession: (session) => this.#session(body, session),
    }).then((outcome) => {
      words?.flush();
      this.#end(body, outcome);
      this.#bell.ring();
    });
  }

  /** Those that ended since the last call, in that order. */
  takeEnded(): readonly EndedBody[] {
    const ended = this.#ended;
    this.#ended = [];
    for (const { body } of ended) {
      this.#live.delete(body.leaf.key);
      this.#beats.ended(body.leaf.key);
    }
    return ended;
  }

  /** What recalling and tools noted since the last call, as events. */
  takeNotes(): readonly RunEventBody[] {
    return this.#notes.take();
  }

  /** The heartbeats to write with the next flush. */
  takeBeats(): readonly Heartbeat[] {
    return this.#beats.takeDue();
  }

  /** Everything taken with the notes so far is durable. */
  recorded(): void {
    this.#notes.settle();
  }

  #words({ leaf: { nodeId, iteration }, attempt }: Body): AgentWords {
    const later = (ms: number, first: () => void): void => this.#bell.after(ms, this.#over.signal, first);
    return new AgentWords({ nodeId, iteration, attempt }, { note: this.#notes.add, later });
  }

  /** J1 */
  handOver(key: string): void {
    const body = this.#live.get(key);
    if (!body) return;
    if (engineOf(body.leaf) === null) return this.#notes.add(refused(body.leaf));
    this.#leaving.add(body);
    this.#letGo(body);
  }

  #letGo(body: Body): void {
    if (this.#leaving.has(body) && body.calling === 0)
      this.giveUp(
        (leaf) => leaf === body.leaf,
        () => new SmoothError("TASK_ABORTED", "a person takes the session over"),
      );
  }

  #noteCall(body: Body, event: RunEventBody): void {
    body.calling += event.type === "tool.started" ? 1 : -1;
    this.#notes.tell(event);
    this.#letGo(body);
  }

  #session(body: Body, session: JsonValue): void {
    const { leaf, attempt } = body;
    const { nodeId, iteration, key, id } = leaf;
    if (this.#live.get(key) !== body) return; // a later attempt has its own
    const text = JSON.stringify(session);
    const sizeBytes = sizeOf(text);
    if (sizeBytes > MAX_SESSION_BYTES)
      throw new SmoothError(
        "PAYLOAD_TOO_LARGE",
        `the session of task ${id} is ${sizeBytes} bytes of JSON; the limit is ${MAX_SESSION_BYTES}`,
      );
    if (text === (this.#sessions.get(body) ?? JSON.stringify(this.#in.state.hijacks.get(key)?.session))) return;
    this.#sessions.set(body, text);
    this.#notes.tell({ type: "agent.session", nodeId, iteration, attempt, session });
  }

  /** Opened with its first call: most bodies have no tools. */
  #toolLog(body: Body): ToolLog {
    const { leaf, attempt } = body;
    let log: ToolLog | undefined;
    const opened = (): ToolLog =>
      openToolLog(
        { nodeId: leaf.nodeId, iteration: leaf.iteration, attempt },
        {
          nowMs: () => this.#in.clock.now(),
          note: (event: RunEventBody) => this.#noteCall(body, event),
          recorded: this.#notes.recorded,
        },
      );
    return { begin: (call) => (log ??= opened()).begin(call) };
  }

  #sandbox({ leaf }: Body): SandboxAccess {
    const { sandboxes, state } = this.#in;
    return {
      sandboxes,
      recorded: recordedBundle(state, leaf.key, this.#beats.last(leaf.key)),
      around: () => surroundingsOf(this.#in),
      note: this.#notes.tell,
    };
  }

  async #recall({ leaf, attempt }: Body, prompt: string, workflow: string): Promise<Recalled> {
    const { nodeId, iteration } = leaf;
    const note = (noted: RecallNote): void =>
      this.#notes.add(
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
}

/** The rows of what it depends on, by name. */
const depsOf = ({ deps }: TaskLeaf, rows: OutputRows): AttemptInput["deps"] =>
  deps.length === 0
    ? NO_DEPS
    : Object.fromEntries(deps.map(({ name, output, key }) => [name, rows.get(output.name, key)]));

const usageEvent = ({ leaf, attempt, agent }: Body, usage: TokenUsage, ofRun?: string): RunEventBody => ({
  type: "node.usage",
  nodeId: leaf.nodeId,
  iteration: leaf.iteration,
  attempt,
  agent: peekText(agent, "id")?.slice(0, 200) ?? null,
  ...usage,
  ...(ofRun === undefined ? {} : { ofRun }),
});
