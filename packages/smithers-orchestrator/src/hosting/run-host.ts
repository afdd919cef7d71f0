/** The runs that one process starts, takes up again and answers for; the server and the Gateway are two faces of it.
 *  H1. A run whose workflow this process does not know is left alone.
 *  H2. What was decided, sent or has come due takes a run up again by itself; so does the death of the process that had it.
 *  H3. Closing lets every run go: they stay as they are, and whoever comes next takes them up. */
import { isOwnerAlive } from "@smooth/engine/process-owner";
import { unpauseRun } from "@smooth/engine/control";
import type { StoredEvent } from "@smooth/engine/events";
import type { JsonValue } from "@smooth/engine/json";
import { resumeRun, startRun, type RunHandle } from "@smooth/engine/run";
import type { RunRow, RunStore } from "@smooth/engine/store";
import { Supervisor } from "@smooth/engine/supervisor";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import type { Clock } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { translator, type SmithersEvent } from "@smooth/workflow/smithers-events";
import { openWorkspace, type Workspace, type WorkspaceOptions } from "@smooth/workflow/workspace";

export interface RunHostOptions extends WorkspaceOptions {
  /** The workflow that runs of this name are of; null: not one of ours. */
  readonly find: (name: string) => Promise<WorkflowDefinition | null>;
  readonly onEvent?: ((event: SmithersEvent) => void) | undefined;
  /** Go on with workflows whose files have changed since; the consent is recorded under this name. */
  readonly acceptChangesAs?: string | undefined;
  /** More to look after in every round. */
  readonly alsoDo?: ((host: RunHost) => Promise<unknown>) | undefined;
}

export interface Launch {
  readonly workflow: string;
  readonly input: JsonValue;
  readonly runId?: string | undefined;
  readonly auth?: JsonValue;
}

const INTERVAL_MS = 1_000;

export class RunHost implements AsyncDisposable {
  readonly store: RunStore;
  readonly clock: Clock;
  readonly workspace: Workspace;
  readonly #options: RunHostOptions;
  readonly #driven = new Map<string, Driven>();
  readonly #supervisor: Supervisor;

  constructor(options: RunHostOptions) {
    this.#options = options;
    this.workspace = openWorkspace(options);
    const { deps } = this.workspace;
    this.store = deps.store;
    this.clock = deps.clock;
    const { alsoDo } = options;
    this.#supervisor = new Supervisor({
      ...deps,
      isAlive: isOwnerAlive,
      host: deps.owner.host,
      intervalMs: INTERVAL_MS,
      resume: (row) => this.#takeUp(row, false),
      ...(alsoDo ? { alsoDo: () => alsoDo(this) } : {}),
    });
    this.#supervisor.start();
  }

  /** Throws NOT_FOUND (no such workflow), INVALID_INPUT, CONFLICT (the id is taken). */
  async launch({ workflow: name, input, runId, auth = null }: Launch): Promise<string> {
    const found = await this.#options.find(name);
    if (!found) throw new SmoothError("NOT_FOUND", `no workflow ${name}`, { details: { workflow: name } });
    const { deps } = this.workspace;
    const workflow = { ...found, name };
    return this.#drive(await startRun({ ...deps, workflow, input, runId, auth, onEvent: this.#listener([]) }));
  }

  /** A paused or suspended run, or one whose process died. Throws RUN_NOT_FOUND, RUN_NOT_RESUMABLE, RUN_OWNER_ALIVE, NOT_FOUND. */
  async resume(runId: string, { force = false, by }: { readonly force?: boolean; readonly by: string }): Promise<void> {
    const row = await this.store.run(runId);
    if (!row) throw new SmoothError("RUN_NOT_FOUND", `no run ${runId}`, { details: { runId } });
    if (row.status === "paused") await unpauseRun(this.store, { runId, by, atMs: this.clock.now() });
    if (!(await this.#takeUp((await this.store.run(runId)) ?? row, force)))
      throw new SmoothError("NOT_FOUND", `run ${runId} is of workflow ${row.workflow}, which is not known here`);
  }

  /** H2. Looks after the runs now instead of in the next round. */
  wake(): void {
    void this.#supervisor.tick().catch(() => undefined);
  }

  /** H3 */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#supervisor[Symbol.asyncDispose]();
    for (const { handle } of this.#driven.values()) handle.release();
    await Promise.all([...this.#driven.values()].map(({ over }) => over));
    this.workspace[Symbol.dispose]();
  }

  /** H1: false, and nothing happened. */
  async #takeUp(row: RunRow, force: boolean): Promise<boolean> {
    const found = await this.#options.find(row.workflow);
    if (!found) return false;
    const { acceptChangesAs: by } = this.#options;
    const past = await this.store.events(row.runId, 0);
    const handle = await resumeRun({
      ...this.workspace.deps,
      workflow: { ...found, name: row.workflow },
      runId: row.runId,
      isAlive: force ? () => false : isOwnerAlive,
      onEvent: this.#listener(past),
      ...(by === undefined ? {} : { acceptWorkflowChange: { by } }),
    });
    this.#drive(handle);
    return true;
  }

  #drive(handle: RunHandle): string {
    const over = settled(handle).finally(() => this.#driven.delete(handle.runId));
    this.#driven.set(handle.runId, { handle, over });
    return handle.runId;
  }

  #listener(past: readonly StoredEvent[]): (event: StoredEvent) => void {
    const translated = translator(past);
    return (event) => translated(event).forEach((named) => this.#options.onEvent?.(named));
  }
}

interface Driven {
  readonly handle: RunHandle;
  /** Never rejects: a store that fails for good leaves the run to whoever comes next. */
  readonly over: Promise<unknown>;
}

async function settled(handle: RunHandle): Promise<unknown> {
  try {
    await handle.result;
    const next = await handle.next;
    return next && (await settled(next));
  } catch (error) {
    return error;
  }
}
