/** Which agent of a task's chain makes its next attempt, and when a failed attempt is tried again.
 *  B2. A fallback chain is tried to its end before a round counts as failed; an unusable agent is out for the rest of the run. */
import type { Clock, Random } from "@smooth/platform/ports";
import type { Plan, TaskLeaf } from "../graph/plan.ts";
import { nextDelayMs } from "../schedule/retry.ts";
import type { Failure } from "../task/attempt.ts";
import type { AgentLike } from "../task/body.ts";
import type { RunEventBody } from "./events.ts";
import { triesOf, type RunState } from "./state.ts";

export interface AgentChainsInput {
  readonly clock: Clock;
  readonly random: Random;
  readonly state: RunState;
}

export class AgentChains {
  readonly #in: AgentChainsInput;
  readonly #unusable = new Set<AgentLike>();
  /** When the quota of an agent begins anew. */
  readonly #quotas = new Map<AgentLike, number>();

  constructor(input: AgentChainsInput) {
    this.#in = input;
  }

  /** B2, passing over those whose quota is used up. Null: the body is no agent's. */
  next(leaf: TaskLeaf): AgentLike | null {
    if (leaf.body.mode !== "agent") return null;
    const { clock, state } = this.#in;
    const usable = this.#usable(leaf);
    const first = triesOf(state.nodes.get(leaf.key)).failures % usable.length;
    const inTurn = [...usable.slice(first), ...usable.slice(0, first)];
    return inTurn.find((agent) => (this.#quotas.get(agent) ?? 0) <= clock.now()) ?? inTurn[0] ?? null;
  }

  /** B2. When a failed attempt is tried again; null: never. */
  retryAtMs(leaf: TaskLeaf, { retryable, agentUnusable }: Pick<Failure, "retryable" | "agentUnusable">): number | null {
    const { clock, random, state } = this.#in;
    const chain = this.#usable(leaf).length;
    if (agentUnusable && chain > 0) return clock.now();
    const failures = triesOf(state.nodes.get(leaf.key)).failures + 1;
    const perRound = Math.max(1, chain);
    if (failures % perRound !== 0) return clock.now();
    if (!retryable) return null;
    const round = failures / perRound;
    return round > leaf.retry.retries ? null : clock.now() + nextDelayMs(leaf.retry, round, random);
  }

  /** B2. Its place in the task's chain, for whoever takes the run up. */
  leaveOut(leaf: TaskLeaf, agent: AgentLike): number {
    this.#unusable.add(agent);
    return leaf.body.mode === "agent" ? leaf.body.agents.indexOf(agent) : 0;
  }

  /** B2, also after a resume: which of this plan's agents the log says are of no use. */
  shown({ leaves }: Plan): void {
    const { unusable } = this.#in.state;
    if (unusable.size === 0) return;
    for (const { id, ...leaf } of leaves.values()) {
      if (leaf.type !== "task" || leaf.body.mode !== "agent") continue;
      for (const at of unusable.get(id) ?? []) {
        const agent = leaf.body.agents[at];
        if (agent) this.#unusable.add(agent);
      }
    }
  }

  /** The task waits: for another agent of its chain not at all. */
  quotaUsedUp(
    { leaf, agent }: { readonly leaf: TaskLeaf; readonly agent: AgentLike | null },
    untilMs: number,
    reason: string,
  ): RunEventBody {
    const { nodeId, iteration } = leaf;
    if (agent) this.#quotas.set(agent, untilMs);
    const nowMs = this.#in.clock.now();
    const ends = this.#usable(leaf).map((other) => Math.max(this.#quotas.get(other) ?? 0, nowMs));
    const dueMs = agent ? Math.min(...ends) : untilMs;
    return { type: "wait.opened", nodeId, iteration, on: { kind: "quota", dueMs, reason } };
  }

  #usable(leaf: TaskLeaf): readonly AgentLike[] {
    return leaf.body.mode === "agent" ? leaf.body.agents.filter((agent) => !this.#unusable.has(agent)) : [];
  }
}
