/** Exchanges the workflow of a running run for an edited one.
 *  H1. What is recorded keeps its meaning: a change of the input's or an output's schema is refused.
 *  H2. The edited workflow must load and render a frame of this very run; else it is refused and the old one goes on.
 *  H3. Bodies that run go on with their old code; what is recorded is not done again; the next frame is the new workflow's.
 *  H4. Every exchange and every refusal is an event. Reloads come one after the other. */
import { SmoothError } from "@smooth/protocol/errors";
import type { ErrorInfo, RunEventBody, StoredEvent } from "../run/events.ts";
import { errorInfo } from "../run/failure.ts";
import { metadataChanges, type RunMetadata, type WorkflowSource } from "../run/metadata.ts";
import type { WorkflowDefinition } from "../render/workflow.ts";
import type { RunStore } from "../store/port.ts";
import { incompatibility } from "./compatible.ts";

export type ReloadOutcome =
  | { readonly kind: "reloaded"; readonly changed: readonly string[] }
  /** The files are what they were. */
  | { readonly kind: "unchanged" }
  | { readonly kind: "refused"; readonly error: ErrorInfo }
  /** The run is over, or not this process's any more. */
  | { readonly kind: "over" };

/** The run whose workflow is exchanged. */
export interface HotRun {
  isOver(): boolean;
  /** H2. Throws what the workflow's frame throws, and then nothing has changed. */
  exchange(workflow: WorkflowDefinition): void;
  record(event: RunEventBody): void;
}

export type Reload = (load: () => Promise<WorkflowDefinition>) => Promise<ReloadOutcome>;

export interface Reloader {
  readonly reload: Reload;
  /** The workflow that the next frame renders. */
  current(): WorkflowDefinition;
}

export function reloader(run: HotRun, store: RunStore, started: WorkflowDefinition): Reloader {
  let current = started;
  let last: Promise<unknown> = Promise.resolve();
  const once = async (load: () => Promise<WorkflowDefinition>): Promise<ReloadOutcome> => {
    try {
      const next = await load();
      const changed = changesOf(current.source, next.source);
      if (changed?.length === 0) return { kind: "unchanged" };
      const problem = incompatibility(current, next);
      if (problem) throw problem; // H1
      await store.defineOutputs(next.registry.tables);
      if (run.isOver()) return { kind: "over" };
      run.exchange(next);
      current = next;
      run.record({ type: "run.reloaded", changed: [...(changed ?? [])], source: next.source ?? null }); // H4
      return { kind: "reloaded", changed: changed ?? [] };
    } catch (error) {
      if (run.isOver()) return { kind: "over" };
      const refusal = asRefusal(error);
      run.record({ type: "run.reload-refused", error: refusal });
      return { kind: "refused", error: refusal };
    }
  };
  const reload: Reload = (load) => {
    const outcome = last.then(() => once(load));
    last = outcome;
    return outcome;
  };
  return { reload, current: () => current };
}

/** Null when they cannot be compared: a workflow that was made in the process. */
const changesOf = (before: WorkflowSource | undefined, after: WorkflowSource | undefined): readonly string[] | null =>
  before && after ? metadataChanges(only(before), only(after)) : null;

const only = (source: WorkflowSource): RunMetadata => ({ source, vcsRoot: null });

function asRefusal(error: unknown): ErrorInfo {
  if (error instanceof SmoothError && error.code === "SCHEMA_CHANGE_HOT") return errorInfo(error);
  const { code, message } = errorInfo(error);
  return { code: "HOT_RELOAD_INVALID_MODULE", message: `the edited workflow cannot be used (${code}): ${message}` };
}

/** The files a run was reloaded with last; a resume compares with them, for who reloads has agreed to the change. */
export async function reloadedSource(store: RunStore, runId: string): Promise<WorkflowSource | null> {
  const isReload = (event: StoredEvent): event is Extract<StoredEvent, { type: "run.reloaded" }> =>
    event.type === "run.reloaded";
  return (await store.events(runId, 0)).findLast(isReload)?.source ?? null;
}
