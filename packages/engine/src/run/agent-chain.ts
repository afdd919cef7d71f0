/** Which agent of a task's chain makes its next attempt, and when a failed attempt is tried again.
 *  B2. A fallback chain is tried to its end before a round counts as failed: next is who has failed least often here, in the chain's
 *      order. Each agent has `retries` + 1 attempts of its own; an unusable one is out for the rest of the run. */
import type { Clock, Random } from "@smooth/platform/ports";
import type { Plan, TaskLeaf } from "../graph/plan.ts";
import { nextDelayMs } from "../schedule/retry.ts";
import type { Failure } from "../task/failure.ts";
import type { AgentLike } from "../task/body.ts";
import type { RunEventBody } from "./events.ts";
import { LateMap } from "./late-map.ts";
import { countFailure, triesOf, type RunState } from "./state.ts";

type NodeFailed = Extract<RunEventBody, { type: "node.failed" }>;
type Verdict = Pick<Failure, "retryable" | "agentUnusable">;

/** By whom; null: the body is no agent's. */
interface Attempted {
  readonly leaf: TaskLeaf;
  readonly agent: AgentLike | null;
}

interface Member {
  readonly agent: AgentLike;
  readonly failures: number;
}

/** `inRound`: others have failed more often, so there is nothing to wait for. */
interface Turn {
  readonly next: Member;
  readonly inRound: boolean;
}

export interface AgentChainsInput {
  readonly clock: Clock;
  readonly random: Random;
  readonly state: RunState;
}

export class AgentChains {
  readonly #in: AgentChainsInput;
  readonly #unusable = new Set<AgentLike>();
  /** When the quota of an agent begins anew. */
  readonly #quotas = new LateMap<AgentLike, number>();

  constructor(input: AgentChainsInput) {
    this.#in = input;
  }

  /** B2, passing over those whose quota is used up. Null: the body is no agent's. */
  next(leaf: TaskLeaf): AgentLike | null {
    return this.#turn(leaf, this.#failedBy(leaf))?.next.agent ?? this.#usable(leaf)[0]?.agent ?? null; // an edit may take attempts away
  }

  /** B2. When a failed attempt is tried again; null: never. */
  retryAtMs({ leaf, agent }: Attempted, { retryable, agentUnusable }: Verdict): number | null {
    const { clock, random, state } = this.#in;
    const nowMs = clock.now();
    if (agent === null) {
      const round = triesOf(state.nodes.get(leaf.key)).failures + 1;
      return retryable && round <= leaf.retry.retries ? nowMs + nextDelayMs(leaf.retry, round, random) : null;
    }
    const turn = this.#turn(leaf, countFailure(this.#failedBy(leaf), this.#placeOf(leaf, agent)));
    if (!turn) return null;
    if (turn.inRound) return nowMs;
    return retryable || agentUnusable ? nowMs + nextDelayMs(leaf.retry, turn.next.failures, random) : null;
  }

  /** Whose attempt failed, as its place in the chain: that is what whoever takes the run up can know it by. */
  whoFailed({ leaf, agent }: Attempted, unusable: boolean): Pick<NodeFailed, "agentAt" | "agentUnusable"> {
    if (!agent) return {};
    if (unusable) this.#unusable.add(agent);
    return { agentAt: this.#placeOf(leaf, agent), ...(unusable && { agentUnusable: true }) };
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
  quotaUsedUp({ leaf, agent }: Attempted, untilMs: number, reason: string): RunEventBody {
    const { nodeId, iteration } = leaf;
    if (agent) this.#quotas.set(agent, untilMs);
    const nowMs = this.#in.clock.now();
    const ends = this.#left(leaf, this.#failedBy(leaf)).map((other) => Math.max(this.#quotaEnd(other.agent), nowMs));
    const dueMs = agent ? Math.min(untilMs, ...ends) : untilMs;
    return { type: "wait.opened", nodeId, iteration, on: { kind: "quota", dueMs, reason } };
  }

  /** Undefined: every agent is unusable, or has had its attempts. */
  #turn(leaf: TaskLeaf, failedBy: readonly number[]): Turn | undefined {
    const left = this.#left(leaf, failedBy);
    const free = left.filter(({ agent }) => this.#quotaEnd(agent) <= this.#in.clock.now());
    const [next] = (free.length > 0 ? free : left).toSorted((a, b) => a.failures - b.failures);
    if (!next) return undefined;
    const ahead = this.#usable(leaf, failedBy).some(({ failures }) => failures > next.failures);
    return { next, inRound: next.failures === 0 || ahead };
  }

  /** Those that have attempts left. */
  #left(leaf: TaskLeaf, failedBy: readonly number[]): readonly Member[] {
    return this.#usable(leaf, failedBy).filter(({ failures }) => failures <= leaf.retry.retries);
  }

  /** In the chain's order. */
  #usable({ body }: TaskLeaf, failedBy: readonly number[] = []): readonly Member[] {
    if (body.mode !== "agent") return [];
    return body.agents
      .map((agent, place) => ({ agent, failures: failedBy[place] ?? 0 }))
      .filter(({ agent }) => !this.#unusable.has(agent));
  }

  /** One agent may stand at several places: it was asked for the one that had failed least. */
  #placeOf({ body, key }: TaskLeaf, agent: AgentLike): number {
    const { failedBy } = triesOf(this.#in.state.nodes.get(key));
    const places = body.mode === "agent" ? body.agents.flatMap((other, at) => (other === agent ? [at] : [])) : [];
    return places.toSorted((a, b) => (failedBy[a] ?? 0) - (failedBy[b] ?? 0))[0] ?? 0;
  }

  #failedBy = ({ key }: TaskLeaf): readonly number[] => triesOf(this.#in.state.nodes.get(key)).failedBy;
  #quotaEnd = (agent: AgentLike): number => this.#quotas.get(agent) ?? 0;
}
