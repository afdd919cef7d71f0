/** Scores and remembers results after they were recorded. Tasks never wait for it and never fail by it; the run ends after it.
 *  F1. What is due is recorded in one commit with the result, and started only after that commit.
 *  F2. Each scorer answers once per result: its score or its failure is an event, and what has its event is never done again.
 *  F3. A memory is written once per node: the store knows the source, so a crash before the event neither loses nor doubles it. */
import type { Clock } from "@smooth/platform/ports";
import type { Plan, TaskLeaf } from "../graph/plan.ts";
import { stateKey } from "../graph/identity.ts";
import { namespaceToString, parseNamespace } from "../memory/namespace.ts";
import type { Memory, MemoryNamespace, MemoryStore } from "../memory/port.ts";
import { noMemory } from "../memory/recall.ts";
import { legible } from "../outputs/json.ts";
import type { OutputRows } from "../outputs/rows.ts";
import { isSampled } from "../scorers/sampling.ts";
import { score } from "../scorers/score.ts";
import type { JudgeModel } from "../scorers/scorer.ts";
import type { AgentLike } from "../task/body.ts";
import type { Doorbell } from "./doorbell.ts";
import type { RunEventBody } from "./events.ts";
import { errorInfo } from "./failure.ts";
import type { Due } from "./aftermath-state.ts";
import type { RunState } from "./state.ts";

export interface AftermathInput {
  readonly runId: string;
  readonly clock: Clock;
  readonly rows: OutputRows;
  readonly state: RunState;
  readonly memory: MemoryStore | null;
  readonly judges: ((model: JudgeModel) => AgentLike | undefined) | null;
}

/** How a result came about. */
export interface Origin {
  readonly prompt: string | null;
  readonly latencyMs: number;
}

/** F1. What the task wants done with its result; null when nothing. */
export function aftermathOf(
  leaf: TaskLeaf,
  origin: Origin,
  run: { readonly runId: string; readonly workflow: string },
): RunEventBody | null {
  const { nodeId, iteration, memory } = leaf;
  if (memory === null && Object.keys(leaf.scorers).length === 0) return null;
  const scorers = Object.entries(leaf.scorers).flatMap(([scorer, { sampling }]) =>
    isSampled(sampling, { runId: run.runId, nodeId, iteration, scorer }) ? [scorer] : [],
  );
  const threadId = memory?.threadId ?? null;
  const namespace = namespaceToString(memory?.remember?.namespace ?? workflowNamespace(run.workflow));
  const remember = memory?.remember ? { namespace, key: memory.remember.key ?? leaf.id } : null;
  if (scorers.length === 0 && remember === null && threadId === null) return null;
  const output = leaf.output.name;
  return { type: "aftermath.due", nodeId, iteration, output, ...origin, scorers, remember, threadId };
}

/** Where a workflow's own facts are. */
export const workflowNamespace = (name: string): MemoryNamespace => ({ kind: "workflow", id: name });

export class Aftermath {
  readonly #in: AftermathInput;
  readonly #bell: Doorbell;
  readonly #over: () => AbortSignal;
  /** Jobs in flight, and those whose event waits to be taken. */
  readonly #started = new Set<string>();
  #done: RunEventBody[] = [];

  /** `over` aborts when the run leaves this process, is cancelled or let go; asked for when something is due, which is seldom. */
  constructor(input: AftermathInput, bell: Doorbell, over: () => AbortSignal) {
    this.#in = input;
    this.#bell = bell;
    this.#over = over;
  }

  /** Whether results are still to be scored or remembered here. */
  get pending(): boolean {
    return this.#in.state.aftermath.size > 0 && !this.#over().aborted;
  }

  /** The events of what was done since the last call. */
  takeDone(): readonly RunEventBody[] {
    const done = this.#done;
    this.#done = [];
    return done;
  }

  /** Starts what is due and not started yet. */
  start(plan: Plan): void {
    if (!this.pending) return;
    for (const [key, due] of this.#in.state.aftermath) {
      if (due.remembering) this.#once(`${key} memory`, () => this.#remember(due));
      for (const name of due.scorers) this.#once(`${key} ${name}`, () => this.#score(due, name, plan));
    }
  }

  #once(job: string, work: () => Promise<RunEventBody>): void {
    if (this.#started.has(job)) return;
    this.#started.add(job);
    void work().then((event) => {
      if (this.#over().aborted) return; // whoever resumes the run does it again
      this.#done.push(event);
      this.#bell.ring();
    });
  }

  /** F2 */
  async #score({ result }: Due, name: string, plan: Plan): Promise<RunEventBody> {
    const { nodeId, iteration } = result;
    const leaf = plan.leaves.get(stateKey(result));
    const binding = leaf?.type === "task" ? leaf.scorers[name] : undefined;
    const at = { nodeId, iteration, scorer: name, scorerId: binding?.scorer.id ?? name };
    if (leaf?.type !== "task" || !binding) {
      const message = `task ${nodeId} or its scorer ${name} left the workflow before the result was scored`;
      return { type: "score.failed", ...at, error: { code: "SCORER_FAILED", message, nodeId } };
    }
    const { rows, clock, judges } = this.#in;
    const deps = Object.fromEntries(leaf.deps.map((dep) => [dep.name, rows.get(dep.output.name, dep.key)]));
    const outcome = await score(
      binding,
      {
        input: result.prompt ?? deps,
        output: rows.get(result.output, leaf.key),
        latencyMs: result.latencyMs,
        outputSchema: leaf.output.schema,
      },
      { clock, signal: this.#over(), ...(judges ? { judges } : {}) },
    );
    if (outcome.kind === "failed") return { type: "score.failed", ...at, error: outcome.error };
    const { score: value, reason, meta } = outcome.result;
    return {
      type: "score.recorded",
      ...at,
      scorerName: binding.scorer.name,
      score: value,
      ...(reason === undefined ? {} : { reason }),
      ...(meta === undefined ? {} : { meta: { ...meta } }),
      durationMs: outcome.durationMs,
    };
  }

  /** F3 */
  async #remember({ result }: Due): Promise<RunEventBody> {
    const { memory, runId } = this.#in;
    const { nodeId, iteration } = result;
    try {
      if (!memory) throw noMemory();
      await memory.remember(`${runId}:${stateKey(result)}`, this.#memoryOf(result));
      return { type: "memory.remembered", nodeId, iteration };
    } catch (error) {
      return { type: "memory.failed", nodeId, iteration, during: "remember", error: errorInfo(error) };
    }
  }

  #memoryOf(result: Due["result"]): Memory {
    const value = legible(this.#in.rows.get(result.output, stateKey(result)));
    const { remember, threadId, prompt } = result;
    const asked = prompt === null ? [] : [{ role: "user" as const, content: prompt }];
    const answered = { role: "assistant" as const, content: JSON.stringify(value) };
    return {
      fact: remember && { namespace: parseNamespace(remember.namespace), key: remember.key, value },
      thread: threadId === null ? null : { id: threadId, messages: [...asked, answered] },
    };
  }
}
