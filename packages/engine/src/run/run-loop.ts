/** One run, driven by one owner: collect what ended (outcomes.ts), decide (progress.ts, ending.ts), record in one transaction
 *  (journal.ts), start what may start.
 *  L1. A body starts only after the transaction that holds its `node.started` is committed.
 *  L2. An outcome is recorded once; when the epoch has moved on, nothing more is recorded and every body is aborted.
 *  L3. A frame is rendered when something it read has changed (current-frame.ts).
 *  L4. A failure stops the innermost scope that contains it, else the run (containment.ts).
 *  L5. A run for which only waits are left suspends (ending.ts).
 *  L6. A run that continues as new creates its successor with its own last commit (progress.ts, ending.ts).
 *  L7. What others say until that commit, or until the one that pauses the run, is heard: else the commit is refused (store S9), and
 *      the loop looks and decides anew. */
import { SmoothError } from "@smooth/protocol/errors";
import { lazily } from "@smooth/protocol/lazily";
import { stateKey } from "../graph/identity.ts";
import { alertsOf, type AlertedRun, type Alerts } from "../alerts/alerts.ts";
import type { Plan } from "../graph/plan.ts";
import type { WorkflowDefinition } from "../render/workflow.ts";
import type { Unavailable } from "../store/unavailable.ts";
import { Aftermath } from "./aftermath.ts";
import { AgentChains } from "./agent-chain.ts";
import { Bodies } from "./bodies.ts";
import { Budgets } from "./budgets.ts";
import { Containment } from "./containment.ts";
import { CurrentFrame } from "./current-frame.ts";
import { Doorbell } from "./doorbell.ts";
import { Ending } from "./ending.ts";
import type { StoredEvent } from "./events.ts";
import { Journal } from "./journal.ts";
import { giveBack } from "./give-back.ts";
import type { LoopInput } from "./loop-input.ts";
import { Outcomes } from "./outcomes.ts";
import { Progress } from "./progress.ts";
import type { RunResult, Stop } from "./result.ts";
import { Stop as Signal } from "../task/stop.ts";
import { applyEvent } from "./state.ts";
import { Stopping } from "./stopping.ts";
import { StoreHealth } from "./store-health.ts";
import { tend } from "./tend.ts";
import { Waits } from "./waits/waits.ts";

/** One for all runs: where it was made tells nobody anything, and finding that out costs more than all else that ends a run. */
const IS_OVER = new SmoothError("TASK_ABORTED", "the run is over");

export class RunLoop {
  readonly #in: LoopInput;
  readonly #over = new Signal();
  readonly #bell: Doorbell;
  readonly #health: StoreHealth;
  readonly #alerts: Alerts | null;
  readonly #frame: CurrentFrame;
  readonly #journal: Journal;
  readonly #bodies: Bodies;
  readonly #stopping: Stopping;
  readonly #waits: Waits;
  readonly #aftermath: Aftermath;
  readonly #outcomes: Outcomes;
  readonly #progress: Progress;
  readonly #ending: Ending;
  #lookAtStore: boolean;

  constructor(input: LoopInput) {
    const { store, clock, runId } = input;
    const over = this.#over;
    this.#in = input;
    this.#lookAtStore = !input.isNew;
    const bell = (this.#bell = new Doorbell(clock));
    const health = (this.#health = new StoreHealth(input));
    const agents = new AgentChains(input);
    this.#alerts = alertsOf(input, this, over);
    const rendered = (plan: Plan): void => (this.#journal.rendered(plan), agents.shown(plan));
    const frame = (this.#frame = new CurrentFrame(input, { rendered, planned: () => this.#waits.stir() }));
    const workflow = (): string => frame.name;
    const onEvent = (event: StoredEvent): void => (this.#alerts?.hear(event), input.onEvent(event));
    const onForeign = (event: StoredEvent): void => this.#foreign(event);
    const journal = (this.#journal = new Journal(input, frame, { onEvent, onForeign, patience: health.patience }));
    const cache = { store, clock, runId, workflow, ctxOf: frame.contextOf };
    const bodies = (this.#bodies = new Bodies(input, { agents, cache, bell, over }));
    const stopping = (this.#stopping = new Stopping({ bodies, bell, health, over }));
    const containment = new Containment(input, { frame, journal, bodies, stopping });
    const { emit, ask, finish } = journal;
    const contain = containment.failedIn;
    const { state, subflows } = input;
    const waiting = { runId, store, clock, state, subflows, workflow };
    const waits = (this.#waits = new Waits(waiting, { emit, ask, finish, contain }));
    const budgets = new Budgets(input);
    const unwanted = lazily(() => AbortSignal.any([over.signal, stopping.givenUp]));
    const aftermath = (this.#aftermath = new Aftermath(input, bell, unwanted));
    const parts = { frame, journal, bodies, agents, budgets, waits, aftermath, containment, stopping, health };
    this.#outcomes = new Outcomes(input, parts);
    const progress = (this.#progress = new Progress(input, parts));
    this.#ending = new Ending(input, { ...parts, progress });
  }

  /** Ask the run to end; the first reason stays. */
  stop(why: Stop): void {
    this.#stopping.stop(why);
  }

  isOver = (): boolean => this.#stopping.why !== undefined || this.#over.aborted;

  /** The next frame is this workflow's (hot/reload.ts). Throws what it throws, and then nothing has changed. */
  exchange(workflow: WorkflowDefinition): void {
    this.#frame.exchange(workflow);
  }

  /** An event from outside the loop, written with the next flush, and what people are asked with it. */
  record(...[event, asks = []]: Parameters<AlertedRun["record"]>): void {
    for (const approval of asks) this.#journal.ask(approval);
    this.#journal.emit(event);
    this.#bell.ring();
  }

  waitsForStore(): Unavailable | null {
    return this.#health.waitsFor();
  }

  /** Resolves when this owner is done with the run. Rejects only when the store fails. */
  async drive(): Promise<RunResult> {
    const unwatch = this.#in.store.watch(this.#in.runId, () => this.#look());
    await this.#health.look();
    const onPoll = (): Promise<void> => this.#health.look().then(() => this.#look());
    const untend = tend(this.#in, onPoll);
    this.#alerts?.resume();
    try {
      for (;;) {
        const result = await this.#tick();
        if (result) return result;
        await this.#bell.wait(this.#progress.isHeld ? null : this.#dueMs());
      }
    } catch (error) {
      void giveBack({ ...this.#in, owner: this.#in.origin.owner });
      throw error;
    } finally {
      unwatch();
      untend();
      this.#over.abort(IS_OVER);
      this.#bodies.abort(IS_OVER);
      this.#frame.close();
    }
  }

  async #tick(): Promise<RunResult | undefined> {
    this.#progress.firstFrame();
    if (this.#lookAtStore || this.#waits.wantsLook) await this.#readStore();
    this.#outcomes.collect();
    const change = this.#health.change();
    if (change) this.#journal.emit(change);
    const starts = await this.#progress.goOn();
    if (this.#progress.hasMore) this.#bell.ring();
    if (this.#progress.continuing) await this.#readStore(); // what was sent in the meantime goes along
    const result = this.#isIdle(starts) || this.#stopping.drained ? this.#ending.conclude() : undefined;
    const recorded = await this.#flush(result);
    if (recorded === "stale") return { status: "lost", runId: this.#in.runId }; // L2
    if (recorded === "behind") this.#look(); // L7
    else if (result) return this.#ending.over(result);
    if (this.#stopping.why) this.#progress.undo(starts);
    else for (const { leaf, attempt } of starts) this.#bodies.launch(leaf, attempt, this.#frame.name); // L1
    if (this.#frame.plan) this.#aftermath.start(this.#frame.plan);
    return undefined;
  }

  #isIdle(starts: readonly unknown[]): boolean {
    return this.#bodies.size + starts.length === 0 && !this.#aftermath.pending && !this.#progress.hasMore;
  }

  /** `stale`: the run is not ours any more. */
  async #flush(end: RunResult | undefined): Promise<"recorded" | "stale" | "behind"> {
    const recorded = await this.#journal.flush(end, this.#stopping.why);
    if (recorded === "stale") this.stop({ status: "lost" }); // L2
    if (recorded === "recorded") this.#bodies.recorded();
    return recorded;
  }

  // ---- waking ----

  #look(): void {
    this.#lookAtStore = true;
    this.#bell.ring();
  }

  async #readStore(): Promise<void> {
    this.#lookAtStore = false;
    const { store, runId, epoch } = this.#in;
    const row = await store.run(runId);
    if (row?.epoch !== epoch) return this.stop({ status: "lost" });
    if (row.cancelRequestedBy !== null) this.stop({ status: "cancelled" });
    await this.#journal.catchUp(row.lastSeq);
    await this.#waits.look();
  }

  /** What other processes recorded. */
  #foreign(event: StoredEvent): void {
    applyEvent(this.#in.state, event);
    this.#waits.heard(event);
    this.#look();
    if (event.type === "hijack.requested") this.#bodies.handOver(stateKey(event));
  }

  /** When the loop must look again although nobody rings. */
  #dueMs(): number | null {
    const due = [this.#frame.schedule?.dueMs() ?? null, this.#waits.dueMs()].filter((ms) => ms !== null);
    return due.length > 0 ? Math.min(...due) : null;
  }
}
