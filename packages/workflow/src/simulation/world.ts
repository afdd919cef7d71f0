/** One process's worth of chance: a seeded scheduler says which body ends next, when a person decides, when time passes, and when
 *  an owner dies or is forgotten. Everything that moves is chosen here; with the same seed everything moves the same way.
 *  W1. No body starts for a node whose row is recorded.
 *  W2. After a takeover the old owner starts no body and records nothing. */
import { decideApproval, signalRun } from "@smooth/engine/control";
import { resumeRun, startRun, type RunHandle } from "@smooth/engine/run";
import type { ApprovalRow, Owner, RunStore } from "@smooth/engine/store";
import { openMemoryStore } from "@smooth/engine/store/memory";
import type { TaskContext } from "@smooth/engine/task";
import { countingIds, ManualClock, memoryLog, seededRandom, settle } from "@smooth/platform/testing";
import { numberOf, signalsOf, workflowOf, type Spec } from "./random-workflow.tsx";

export interface Simulated {
  readonly status: string;
  /** `nodeId::iteration` → what was recorded. */
  readonly rows: Readonly<Record<string, unknown>>;
  /** What happened, without seq and time. */
  readonly events: readonly string[];
  /** Broken promises; empty when all is well. */
  readonly broken: readonly string[];
}

export interface Chance {
  readonly seed: number;
  /** How many owners die or are taken for dead. */
  readonly takeovers: number;
  readonly render?: "tracked" | "always";
}

const RUN = "run-simulated";
const MAX_MOVES = 2_000;
const owner = (pid: number): Owner => ({ host: "here", boot: "boot", pid, pidStartedAt: "1" });

export async function simulate(spec: Spec, chance: Chance): Promise<Simulated> {
  const world = new World(spec, chance);
  return world.run();
}

interface Pending {
  readonly generation: number;
  readonly end: () => void;
}

class World {
  readonly #chance: Chance;
  readonly #random;
  readonly #store = openMemoryStore();
  readonly #clock = new ManualClock();
  readonly #workflow;
  readonly #broken: string[] = [];
  readonly #failed = new Map<string, number>();
  #pending: Pending[] = [];
  #unsent: readonly string[];
  #generation = 0;
  #takeovers: number;
  /** Owners up to this one are dead: nothing they do reaches anything. */
  #deadUpTo = -1;
  /** Where the living owner meets its death: around its next commit. */
  #dying: "before" | "after" | null = null;

  constructor(spec: Spec, chance: Chance) {
    this.#chance = chance;
    this.#random = seededRandom(chance.seed);
    this.#takeovers = chance.takeovers;
    this.#unsent = signalsOf(spec);
    this.#workflow = (generation: number) =>
      workflowOf(spec, (context, failures) => this.#body(context, failures, generation));
  }

  async run(): Promise<Simulated> {
    let handle = await this.#start();
    for (let move = 0; move < MAX_MOVES; move += 1) {
      await settle();
      const { status, owner: owned } = (await this.#store.run(RUN)) ?? {};
      if (status === "finished" || status === "failed") return this.#outcome(status);
      const died = this.#deadUpTo === this.#generation;
      if (owned === null) await this.#unblock();
      if (owned === null || died || this.#strike()) handle = await this.#takeOver();
      else await this.#move();
    }
    this.#broken.push(`the run did not end in ${MAX_MOVES} moves`);
    handle.release();
    return this.#outcome("endless");
  }

  // ---- moves ----

  async #move(): Promise<void> {
    const mine = this.#pending.filter(({ generation }) => generation > this.#deadUpTo);
    const ends = mine[Math.floor(this.#random() * (mine.length + 1))];
    if (!ends) return this.#unblock();
    this.#pending = this.#pending.filter((other) => other !== ends);
    ends.end();
  }

  /** A person decides, a signal comes (often before anybody waits for it), or time passes. */
  async #unblock(): Promise<void> {
    const open = await this.#store.approvals({ runId: RUN, only: "open" });
    const moves = [
      ...(open.length > 0 ? [() => this.#decide(open)] : []),
      ...this.#unsent.map((name) => () => this.#send(name)),
    ];
    const move = moves[Math.floor(this.#random() * (moves.length + 1))];
    await (move?.() ?? this.#clock.advance(10));
  }

  async #send(name: string): Promise<void> {
    this.#unsent = this.#unsent.filter((other) => other !== name);
    const atMs = this.#clock.now();
    await signalRun(this.#store, { runId: RUN, name, payload: { n: numberOf(name) }, by: "ann", atMs });
  }

  async #decide(open: readonly ApprovalRow[]): Promise<void> {
    const chosen = open[Math.floor(this.#random() * open.length)];
    if (!chosen) return;
    const { nodeId, iteration } = chosen;
    const verdict = numberOf(nodeId) % 2 === 0 ? ("approve" as const) : ("deny" as const);
    const atMs = this.#clock.now();
    await decideApproval(this.#store, { runId: RUN, nodeId, iteration, decision: { verdict }, by: "ann", atMs });
  }

  async #start(): Promise<RunHandle> {
    return startRun({ ...this.#deps(0), ids: countingIds(), workflow: this.#workflow(0), runId: RUN, input: {} });
  }

  /** Now and then the owner dies at once, or lives on to find out that it was replaced (then true), or dies around its next commit. */
  #strike(): boolean {
    if (this.#takeovers === 0 || this.#dying !== null || this.#random() > 0.15) return false;
    this.#takeovers -= 1;
    const fate = (["at once", "forgotten", "before", "after"] as const)[Math.floor(this.#random() * 4)];
    if (fate === "at once") this.#deadUpTo = this.#generation;
    if (fate === "before" || fate === "after") this.#dying = fate;
    return this.#dying === null;
  }

  async #takeOver(): Promise<RunHandle> {
    this.#dying = null;
    const generation = (this.#generation += 1);
    const workflow = this.#workflow(generation);
    return resumeRun({ ...this.#deps(generation), workflow, runId: RUN, isAlive: () => false });
  }

  #deps(generation: number) {
    return {
      store: this.#mortal(generation),
      clock: this.#clock,
      random: this.#random,
      log: memoryLog(),
      owner: owner(generation),
      render: this.#chance.render,
    };
  }

  /** The store as one owner sees it: when the owner is dead its calls never return; one that was replaced hears no news of it,
   *  so that only the epoch of its own writes can stop it. */
  #mortal(generation: number): RunStore {
    const store = this.#store;
    const never = new Promise<never>(() => {});
    return new Proxy(store, {
      get: (_target, name: keyof RunStore) => {
        const method = store[name] as unknown as (...args: readonly unknown[]) => unknown;
        if (name === "watch")
          return (runId: string, listener: () => void) =>
            store.watch(runId, () => {
              if (generation === this.#generation) listener();
            });
        return (...args: readonly unknown[]) => {
          const dies = name === "commit" && generation === this.#generation ? this.#dying : null;
          if (dies !== null) this.#deadUpTo = generation;
          if (dies === "after") method.apply(store, [...args]);
          return generation <= this.#deadUpTo ? never : method.apply(store, [...args]);
        };
      },
    });
  }

  // ---- bodies ----

  async #body({ nodeId, iteration }: TaskContext, failures: number, generation: number): Promise<{ n: number }> {
    const key = `${nodeId}::${iteration}`;
    if (generation < this.#generation) this.#broken.push(`W2: owner ${generation} started ${key} after its takeover`);
    if (await this.#recorded(key)) this.#broken.push(`W1: ${key} ran again after it was recorded`);
    await new Promise<void>((resolve) => this.#pending.push({ generation, end: resolve }));
    const failed = this.#failed.get(key) ?? 0;
    this.#failed.set(key, failed + 1);
    if (failed < failures) throw new Error(`${key} fails`);
    return { n: numberOf(nodeId) };
  }

  async #recorded(key: string): Promise<boolean> {
    return key in (await this.#rows());
  }

  // ---- what is left ----

  async #rows(): Promise<Record<string, unknown>> {
    const { tables } = this.#workflow(this.#generation).registry;
    const cells = await Promise.all(tables.map((table) => this.#store.outputs(RUN, table)));
    return Object.fromEntries(
      cells
        .flat()
        .map((row) => [`${row.nodeId}::${row.iteration}`, row.table.name === "value" ? row.cells : "decided"]),
    );
  }

  async #outcome(status: string): Promise<Simulated> {
    const events = await this.#store.events(RUN, 0);
    const finished = events.filter(({ type }) => type === "node.finished");
    const distinct = new Set(finished.map((event) => ("nodeId" in event ? `${event.nodeId}::${event.iteration}` : "")));
    if (distinct.size < finished.length) this.#broken.push("a node finished twice");
    const told = events.map(({ seq: _seq, atMs: _atMs, ...event }) => JSON.stringify(event));
    return { status, rows: await this.#rows(), events: told, broken: this.#broken };
  }
}
