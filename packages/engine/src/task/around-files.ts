/** Names the files right before and right after an attempt, so that time travel can put them back and show what was done.
 *  N1. Version control that fails costs the names, never the attempt. */
import type { Log } from "@smooth/platform/ports";
import type { RunEventBody } from "../run/events.ts";
import type { AttemptRef, WorkspaceVcs } from "../time-travel/files.ts";

export interface FilesInput {
  readonly vcs: WorkspaceVcs;
  readonly root: string;
}

interface Notes {
  readonly runId: string;
  readonly ref: AttemptRef;
  readonly note: (event: RunEventBody) => void;
  readonly log: Log;
}

export async function aroundFiles<T>(files: FilesInput, notes: Notes, body: () => Promise<T>): Promise<T> {
  await name(files, notes, "start");
  try {
    return await body();
  } finally {
    await name(files, notes, "end");
  }
}

async function name({ vcs, root }: FilesInput, { runId, ref, note, log }: Notes, when: "start" | "end"): Promise<void> {
  const { nodeId, iteration, attempt } = ref;
  try {
    const pointer = await vcs.snapshot(root, runId);
    if (pointer !== null) note({ type: "vcs.pointer", nodeId, iteration, attempt, when, root, pointer });
  } catch (error) {
    log.warn("task.files-unnamed", { nodeId, iteration, attempt, error: String(error) }); // N1
  }
}
