/** A test's engine: in-memory store, obeying clock, counted ids. */
import { decideApproval } from "@smooth/engine/control";
import { startRun, resumeRun, type ResumeRun, type RunHandle, type StartRun } from "@smooth/engine/run";
import type { RunStatus, StoredEvent } from "@smooth/engine/events";
import type { Owner, RunStore } from "@smooth/engine/store";
import { openMemoryStore } from "@smooth/engine/store/memory";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { countingIds, ManualClock, memoryLog, seededRandom } from "@smooth/platform/testing";

export const OWNER: Owner = { host: "here", boot: "boot-1", pid: 1, pidStartedAt: "1" };

export function testEngine() {
  const store = openMemoryStore();
  const clock = new ManualClock();
  const log = memoryLog();
  const events: StoredEvent[] = [];
  const deps = {
    store,
    clock,
    log,
    ids: countingIds(),
    random: seededRandom(7),
    owner: OWNER,
    onEvent: (event: StoredEvent) => void events.push(event),
  };
  return {
    ...deps,
    events,
    /** `type nodeId#iteration` of every node event, in order. */
    trace: (): string[] =>
      events.flatMap((event) => ("nodeId" in event ? [`${event.type} ${event.nodeId}#${event.iteration}`] : [])),
    start: (workflow: WorkflowDefinition, options: Partial<StartRun> = {}): Promise<RunHandle> =>
      startRun({ ...deps, workflow, input: {}, ...options }),
    resume: (workflow: WorkflowDefinition, runId: string, options: Partial<ResumeRun> = {}): Promise<RunHandle> =>
      resumeRun({ ...deps, workflow, runId, isAlive: () => false, ...options }),
  };
}

export async function runToEnd(workflow: WorkflowDefinition, options: Partial<StartRun> = {}) {
  const engine = testEngine();
  const handle = await engine.start(workflow, options);
  return { ...engine, runId: handle.runId, result: await handle.result };
}

/** A person decides the approval `ask`. */
export const decideAsk = (
  { store }: Pick<ReturnType<typeof testEngine>, "store">,
  runId: string,
  verdict: "approve" | "deny",
): Promise<void> =>
  decideApproval(store, { runId, nodeId: "ask", iteration: 0, decision: { verdict }, by: "ann", atMs: 1 });

/** Another process is faster: says this once, right before the commit that leaves a run so. Answers how often that commit was tried. */
export function sayBefore(store: RunStore, status: RunStatus, say: (runId: string) => Promise<unknown>): () => number {
  const commit = store.commit.bind(store);
  let tries = 0;
  store.commit = async (batch) => {
    if (batch.status?.status !== status) return commit(batch);
    tries += 1;
    if (tries === 1) await say(batch.runId);
    return commit(batch);
  };
  return () => tries;
}
