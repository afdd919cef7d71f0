import { basename } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { cancelRun, pauseRun, rootRun, unpauseRun } from "@smooth/engine/control";
import type { StoredEvent } from "@smooth/engine/events";
import { parseInput } from "@smooth/engine/input";
import { type EngineDeps, resumeRun, type RunHandle, startRun } from "@smooth/engine/run";
import type { OutputRegistry } from "@smooth/engine/outputs";
import type { Owner } from "@smooth/engine/store";
import { decodeRow } from "@smooth/engine/table";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import type { PearlStore } from "@smooth/pearls/store";
import { SmoothError, toSmoothError } from "@smooth/protocol/errors";
import type { RunSummary } from "@smooth/protocol/gateway";
import { type PearlId, RunId } from "@smooth/protocol/ids";
import { hotReload } from "@smooth/workflow/hot-reload";
import type { Launch, RunService } from "./actions.ts";
import type { Flows } from "./flows.ts";
import type { PearlSession } from "../pearl-run/session.ts";
import type { PearlWork } from "../pearl-run/work.ts";
import { peopleSee } from "./run-events.ts";
import type { RunLog } from "./run-log.ts";
import type { Steering, Words } from "./steering.ts";

/** Every run on this host: started, driven by the engine, resumed after a crash, ended in good order.
 *  R1. A run is in the run log before the engine starts it; a launch with a known id starts nothing, and is refused when it asks
 *      for something else than that run is.
 *  R2. What a run holds in this process (its VM, its line) is let go when the engine lets go of the run, whatever the reason.
 *  R3. A pearl is in progress while its run lives; merged closes it, every other end gives it back.
 *  R4. A paused operator that a new process takes up is still paused; a paused workflow is not taken up.
 *  R5. Words for an operator are kept before they are shown and sent (steering.ts); where none will work again they are refused.
 *  R6. A launch with input the workflow does not take leaves nothing; one the engine refuses for another reason has failed. */

export interface RunsDeps {
  readonly engine: EngineDeps;
  readonly isAlive: (owner: Owner) => boolean;
  readonly runLog: RunLog;
  readonly steering: Steering;
  readonly redact: (text: string) => string;
  readonly pearls: PearlStore;
  readonly demo: () => boolean;
  /** What a pearl's run holds in this process: created at the first step, disposed at the end. */
  readonly openSession: (run: { readonly runId: RunId; readonly pearlId: PearlId }) => Promise<PearlSession>;
  readonly pearlWorkflow: (work: PearlWork) => WorkflowDefinition;
  readonly pearlRegistry: OutputRegistry;
  readonly loadWorkflow: (file: string) => Promise<WorkflowDefinition>;
  /** What the run of a workflow file works with. */
  readonly flows: Flows;
  /** An approval node opened; makes it visible as an ask. */
  readonly onApproval: (event: Extract<StoredEvent, { type: "approval.opened" }>) => void;
  readonly onEnd: (runId: RunId) => void;
}

/** What a run has in this process while it lives: an operator's session, or the workflow of a file. */
type Held = PearlSession | WorkflowDefinition;

interface Live {
  readonly handle: RunHandle;
  readonly session: PearlSession | null;
  /** Takes up edits of the workflow's files. */
  readonly watching: Disposable | null;
}

export class Runs implements RunService, AsyncDisposable {
  readonly #deps: RunsDeps;
  readonly #live = new Map<RunId, Live>();
  readonly #settling = new Set<Promise<void>>();

  constructor(deps: RunsDeps) {
    this.#deps = deps;
  }

  get active(): number {
    return this.#live.size;
  }

  async launch({ subject, runId: given, by }: Launch): Promise<RunId> {
    const { engine, runLog, pearls, demo } = this.#deps;
    const runId = given ?? RunId.parse(engine.ids.next("run"));
    const known = runLog.summary(runId);
    if (known) return this.#sameAs(known, subject); // R1
    if (subject.kind === "workflow") return this.#launchWorkflow(runId, subject);
    const pearl = pearls.get(subject.pearlId);
    const busy = runLog.list({ pearlId: pearl.id, limit: 1 })[0];
    if (busy && !isOver(busy))
      throw new SmoothError("CONFLICT", `${pearl.id} already has run ${busy.runId}; cancel it first`, {
        details: { runId: busy.runId },
      });
    if (pearl.status === "closed") pearls.change(pearl.id, { status: "open" }, { by });
    pearls.change(pearl.id, { status: "in_progress" }, { by });
    runLog.open({ runId, title: pearl.title, workflow: "pearl", pearlId: pearl.id, demo: demo() });
    const session = await this.#deps.openSession({ runId, pearlId: pearl.id });
    const begun = { ...engine, workflow: this.#deps.pearlWorkflow(session.work), input: { pearlId: pearl.id } };
    await this.#begin(runId, session, () => startRun({ ...begun, runId, onEvent: this.#record }));
    return runId;
  }

  async resume(runId: RunId, acceptedBy?: string): Promise<RunSummary> {
    const row = await this.#deps.engine.store.run(runId);
    const root = row && RunId.parse((await rootRun(this.#deps.engine.store, row)).runId);
    if (root && root !== runId) return this.resume(root, acceptedBy); // only that knows the workflow
    const summary = this.#summary(runId);
    if (this.#live.has(runId)) return summary;
    if (isOver(summary))
      throw new SmoothError("RUN_NOT_RESUMABLE", `run ${runId} is ${summary.status}`, { details: { runId } });
    const { engine, isAlive, openSession, loadWorkflow, flows } = this.#deps;
    const session = summary.pearlId ? await openSession({ runId, pearlId: summary.pearlId }) : null;
    const workflow = session ? this.#deps.pearlWorkflow(session.work) : await loadWorkflow(summary.workflow);
    const own = session ? {} : flows.optionsFor(runId, workflow);
    const acceptWorkflowChange = acceptedBy === undefined ? undefined : { by: acceptedBy };
    await this.#drive(runId, session ?? workflow, () =>
      resumeRun({ ...engine, ...own, workflow, runId, isAlive, acceptWorkflowChange, onEvent: this.#record }),
    );
    return this.#summary(runId);
  }

  /** The recorded row of a node, as its schema gives it back. */
  async output({
    runId,
    nodeId,
    iteration,
  }: {
    readonly runId: RunId;
    readonly nodeId: string;
    readonly iteration: number;
  }): Promise<unknown> {
    const { engine, pearlRegistry, loadWorkflow } = this.#deps;
    const { pearlId, workflow } = this.#summary(runId);
    const { tables } = pearlId ? pearlRegistry : (await loadWorkflow(workflow)).registry;
    const rows = (await Promise.all(tables.map((table) => engine.store.outputs(runId, table)))).flat();
    const row = rows.find((other) => other.nodeId === nodeId && other.iteration === iteration);
    if (row) return decodeRow(row.table, row.cells);
    throw new SmoothError("NODE_NOT_FOUND", `run ${runId} has no output of ${nodeId} at iteration ${iteration}`, {
      details: { runId, nodeId, iteration },
    });
  }

  async cancel(runId: RunId, by: string): Promise<void> {
    const { engine, runLog } = this.#deps;
    const summary = this.#summary(runId);
    if (isOver(summary))
      throw new SmoothError("RUN_NOT_RESUMABLE", `run ${runId} is ${summary.status} already`, { details: { runId } });
    runLog.append(runId, { type: "note", text: `${by} cancelled the run.` });
    const outcome = await cancelRun(engine.store, { runId, by, atMs: engine.clock.now() });
    this.#live.get(runId)?.session?.cancel();
    if (outcome !== "cancelled") return;
    // Nobody was driving it, so nobody tells.
    runLog.append(runId, { type: "run.status", status: "cancelled", reason: null });
    this.#finish(runId);
  }

  async pause(runId: RunId, by: string): Promise<void> {
    const { engine, runLog } = this.#deps;
    const isOperator = this.#summary(runId).pearlId !== null;
    if (isOperator) this.#session(runId).pause();
    const done = isOperator || (await pauseRun(engine.store, { runId, by, atMs: engine.clock.now() })) === "done";
    const reason = `${by} paused ${isOperator ? "the operator" : "the run"}.`;
    if (done) runLog.append(runId, { type: "run.status", status: "paused", reason }); // else its owner tells when it has
  }

  async unpause(runId: RunId, by: string): Promise<void> {
    const { engine, runLog } = this.#deps;
    const isOperator = this.#summary(runId).pearlId !== null;
    if (isOperator) this.#session(runId).unpause();
    else await unpauseRun(engine.store, { runId, by, atMs: engine.clock.now() });
    runLog.append(runId, { type: "run.status", status: "running", reason: null });
  }

  steer(runId: RunId, { id, text, by }: Words & { readonly by: string }): void {
    const { runLog, steering, redact } = this.#deps;
    const words = { id, text: redact(text) };
    const fresh = steering.keep(runId, words, () => {
      this.#refuseUnheard(runId);
      runLog.append(runId, { type: "steered", text: words.text, by });
    });
    if (fresh) this.#live.get(runId)?.session?.steer(words);
  }

  /** Lets every run go, resumable; the next start continues them. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { handle } of this.#live.values()) handle.release();
    await Promise.all(this.#settling);
  }

  /** R1 */
  async #sameAs(known: RunSummary, subject: Launch["subject"]): Promise<RunId> {
    const { runId } = known;
    const other = await this.#otherThan(known, subject);
    if (other === null) return runId;
    throw new SmoothError("CONFLICT", `run ${runId} is there already, ${other}; take another id, or resume that run`, {
      details: { runId },
    });
  }

  async #otherThan({ runId, pearlId, workflow }: RunSummary, subject: Launch["subject"]): Promise<string | null> {
    if (subject.kind === "pearl") return subject.pearlId === pearlId ? null : `and not on pearl ${subject.pearlId}`;
    if (workflow !== subject.file) return `of ${pearlId === null ? workflow : `pearl ${pearlId}`}`;
    const row = await this.#deps.engine.store.run(runId);
    return row === null || isDeepStrictEqual(row.input, subject.input) ? null : "with another input";
  }

  async #launchWorkflow(
    runId: RunId,
    { file, input, settings }: Extract<Launch["subject"], { kind: "workflow" }>,
  ): Promise<RunId> {
    const { engine, runLog, loadWorkflow, demo, flows } = this.#deps;
    const workflow = await loadWorkflow(file);
    parseInput(workflow.inputSchema, input); // R6
    flows.keep(runId, settings ?? {});
    runLog.open({ runId, title: basename(file), workflow: file, pearlId: null, demo: demo() });
    const begun = { ...engine, ...flows.optionsFor(runId, workflow), workflow, input: input as never };
    await this.#begin(runId, workflow, () => startRun({ ...begun, runId, onEvent: this.#record }));
    return runId;
  }

  /** R6 */
  async #begin(runId: RunId, held: Held, begin: () => Promise<RunHandle>): Promise<void> {
    try {
      await this.#drive(runId, held, begin);
    } catch (error) {
      this.#deps.runLog.append(runId, { type: "run.status", status: "failed", reason: toSmoothError(error).message });
      this.#finish(runId);
      throw error;
    }
  }

  /** Resolves when the run is under way; its end is handled whenever it comes. */
  async #drive(runId: RunId, held: Held, begin: () => Promise<RunHandle>): Promise<void> {
    const session = "work" in held ? held : null;
    try {
      const handle = await begin();
      const watching = "work" in held || !this.#deps.flows.settings(runId).hot ? null : hotReload(held, {})(handle);
      const live = { handle, session, watching };
      this.#live.set(runId, live);
      const settled = this.#settle(runId, live);
      this.#settling.add(settled);
      void settled.finally(() => this.#settling.delete(settled));
    } catch (error) {
      await session?.[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #settle(runId: RunId, { handle, session, watching }: Live): Promise<void> {
    const { engine, runLog } = this.#deps;
    try {
      const result = await handle.result;
      if (result.status === "finished" || result.status === "failed" || result.status === "cancelled")
        this.#finish(runId);
      const next = await handle.next;
      if (next) await this.#continue(next);
    } catch (error) {
      engine.log.error("run.store-failed", { runId, error: toSmoothError(error).message });
      runLog.append(runId, {
        type: "run.status",
        status: "failed",
        reason: "The run's database could not be written.",
      });
    } finally {
      watching?.[Symbol.dispose]();
      this.#live.delete(runId);
      await session?.[Symbol.asyncDispose](); // R2
    }
  }

  /** The engine has taken it up already; a reload of the file reaches the newest of the line. */
  async #continue(next: RunHandle): Promise<void> {
    const runId = RunId.parse(next.runId);
    await this.#drive(runId, await this.#deps.loadWorkflow(this.#summary(runId).workflow), async () => next);
  }

  /** R3 */
  #finish(runId: RunId): void {
    const { runLog, pearls, onEnd } = this.#deps;
    const { pearlId } = this.#summary(runId);
    onEnd(runId);
    if (!pearlId || pearls.get(pearlId).status !== "in_progress") return;
    const merged = runLog.latest(runId, "merged");
    if (merged)
      pearls.change(
        pearlId,
        { status: "closed" },
        { by: "smooth", note: `Merged as ${merged.commit} on ${merged.branch}.` },
      );
    else pearls.change(pearlId, { status: "open" }, { by: "smooth" });
  }

  readonly #record = (event: StoredEvent): void => {
    if (event.type === "run.started") this.#openChild(event);
    if (event.type === "run.status" && event.nextRunId !== undefined) this.#openNext(event.runId, event.nextRunId);
    const staysPaused = event.type === "run.claimed" && this.#isPausedOperator(RunId.parse(event.runId)); // R4
    const seen = staysPaused ? [] : peopleSee(event, this.#deps.redact);
    if (seen.length > 0) this.#deps.runLog.append(event.runId, ...seen);
    if (event.type === "approval.opened") this.#deps.onApproval(event);
  };

  #isPausedOperator(runId: RunId): boolean {
    const { status, pearlId } = this.#summary(runId);
    return pearlId !== null && status === "paused";
  }

  /** A subflow; runs that were launched or continue others are known before their first event. */
  #openChild({ runId, workflow }: Extract<StoredEvent, { type: "run.started" }>): void {
    const { runLog, demo } = this.#deps;
    const id = RunId.parse(runId);
    if (!runLog.summary(id)) runLog.open({ runId: id, title: workflow, workflow, pearlId: null, demo: demo() });
  }

  /** A run that continues as a new one. */
  #openNext(runId: string, nextRunId: string): void {
    const { title, workflow, pearlId, demo } = this.#summary(RunId.parse(runId));
    this.#deps.flows.inherit(nextRunId, runId);
    this.#deps.runLog.open({ runId: RunId.parse(nextRunId), title, workflow, pearlId, demo });
  }

  #summary(runId: RunId): RunSummary {
    const summary = this.#deps.runLog.summary(runId);
    if (!summary) throw new SmoothError("RUN_NOT_FOUND", `no run ${runId} on this host`, { details: { runId } });
    return summary;
  }

  /** R5 */
  #refuseUnheard(runId: RunId): void {
    const summary = this.#summary(runId);
    if (summary.pearlId && !isOver(summary) && !this.#deps.runLog.latest(runId, "governor.stopped")) return;
    throw new SmoothError("CONFLICT", `no operator will read this: the work of run ${runId} is over`, {
      details: { runId, status: summary.status },
    });
  }

  #session(runId: RunId): PearlSession {
    const session = this.#live.get(runId)?.session;
    if (session) return session;
    throw new SmoothError("CONFLICT", `run ${runId} is ${this.#summary(runId).status}: no operator is at work`, {
      details: { runId },
    });
  }
}

const isOver = ({ status }: RunSummary): boolean =>
  status === "finished" || status === "failed" || status === "cancelled";
