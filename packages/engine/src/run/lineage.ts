/** The runs that one piece of work went through when it continued as new. Works on rows alone. */
import { SmoothError } from "@smooth/protocol/errors";
import type { RunRow, RunStore } from "../store/port.ts";

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
