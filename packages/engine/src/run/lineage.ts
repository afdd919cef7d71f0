/** The runs that one piece of work went through when it continued as new, and the runs below them. Works on rows alone. */
import { SmoothError } from "@smooth/protocol/errors";
import type { RunRow, RunStore } from "../store/port.ts";
import { OVER } from "./events.ts";

/** Oldest first; the run asked for is among them. Throws RUN_NOT_FOUND. */
export async function lineage(store: RunStore, runId: string): Promise<readonly RunRow[]> {
  const run = await store.run(runId);
  if (!run) throw new SmoothError("RUN_NOT_FOUND", `no run ${runId}`, { details: { runId } });
  const runs = [run];
  for (let first = run; first.parent?.as === "continuation";) {
    const before = await store.run(first.parent.runId);
    if (!before) break; // removed by gc
    runs.unshift((first = before));
  }
  for (let last: RunRow | undefined = run; last?.status === "continued";) {
    const after: readonly RunRow[] = await store.runs({ parentRunId: last.runId });
    last = after.find(({ parent }) => parent?.as === "continuation");
    if (last) runs.push(last);
  }
  return runs;
}

/** The subflows of a run, and theirs, that are not over: in whatever they continued as. */
export async function liveBelow(store: RunStore, runId: string): Promise<readonly RunRow[]> {
  const live: RunRow[] = [];
  for (const child of await store.runs({ parentRunId: runId })) {
    if (!OVER.has(child.status)) live.push(child);
    live.push(...(await liveBelow(store, child.runId)));
  }
  return live;
}
