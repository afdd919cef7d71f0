/** The waits of one run while a process drives it: what they wait for, the rows that may settle them, and when to look. */
import type { Clock } from "@smooth/platform/ports";
import { parseStateKey, stateKey, type NodeRef } from "../../graph/identity.ts";
import type { Plan, WaitLeaf } from "../../graph/plan.ts";
import type { RunStore } from "../../store/port.ts";
import type { WaitOn } from "../events.ts";
import type { RunState } from "../state.ts";
import type { Opened, Settled, WaitRows } from "./outcome.ts";
import { openWait, settleWait, waitStatus, type WaitStatus } from "./wait.ts";

export interface WaitsInput {
  readonly runId: string;
  readonly store: RunStore;
  readonly clock: Clock;
  readonly state: RunState;
}

export interface Suspension {
  readonly status: WaitStatus;
  readonly waiting: readonly NodeRef[];
  /** When time alone wakes it. */
  readonly wakeAtMs: number | null;
}

/** A wait that time ends within this is sat out: a suspension costs more. */
const SIT_OUT_MS = 2_000;

export class Waits {
  readonly #in: WaitsInput;
  #rows: WaitRows = { approvals: new Map() };
  /** Something happened since the last look that may settle a wait. */
  #stirred = true;

  constructor(input: WaitsInput) {
    this.#in = input;
  }

  stir(): void {
    this.#stirred = true;
  }

  /** Reads what people and other processes wrote. */
  async look(): Promise<void> {
    const { store, runId } = this.#in;
    this.#stirred = true;
    if (!this.#reasons().some((on) => on.kind === "approval")) return;
    const approvals = await store.approvals({ runId });
    this.#rows = { approvals: new Map(approvals.map((approval) => [stateKey(approval), approval])) };
  }

  open(leaf: WaitLeaf): Opened {
    this.#stirred = true;
    return openWait(leaf, { nowMs: this.#in.clock.now(), state: this.#in.state });
  }

  /** What is settled now. A wait whose leaf has left the tree is settled when it comes back. */
  settled({ leaves }: Plan): readonly { readonly leaf: WaitLeaf; readonly outcome: Settled }[] {
    const nowMs = this.#in.clock.now();
    if (!this.#stirred && (this.dueMs() ?? Infinity) > nowMs) return [];
    this.#stirred = false;
    return [...this.#in.state.waiting].flatMap(([key, on]) => {
      const leaf = leaves.get(key);
      if (!leaf || leaf.type === "task") return [];
      const outcome = settleWait(leaf, on, { rows: this.#rows, state: this.#in.state, nowMs });
      return outcome.kind === "waiting" && !outcome.also?.length ? [] : [{ leaf, outcome }];
    });
  }

  /** The earliest time that settles one of them. */
  dueMs(): number | null {
    const dues = this.#reasons().flatMap(({ dueMs }) => dueMs ?? []);
    return dues.length > 0 ? Math.min(...dues) : null;
  }

  /** How the run suspends when nothing but these waits is left; undefined when it is better sat out. */
  suspension(keys: readonly string[]): Suspension | undefined {
    const wakeAtMs = this.dueMs();
    if (wakeAtMs !== null && wakeAtMs - this.#in.clock.now() <= SIT_OUT_MS) return undefined;
    const reasons = keys.flatMap((key) => this.#in.state.waiting.get(key) ?? []);
    return { status: waitStatus(reasons), waiting: keys.map(parseStateKey), wakeAtMs };
  }

  #reasons(): readonly WaitOn[] {
    return [...this.#in.state.waiting.values()];
  }
}
