/** What one attempt did to the files: a DiffBundle.
 *  D1. Single flight: askers of the same bundle at the same time share one computation.
 *  D2. Never over 50 MB: what does not fit is left out by name, and the bundle says so. */
import type { DiffFile } from "@smooth/protocol/run-events";
import { SmoothError } from "@smooth/protocol/errors";
import { stateKey } from "../graph/identity.ts";
import type { RunStore } from "../store/port.ts";
import { filesAround, noFiles, type AttemptRef, type WorkspaceVcs } from "./files.ts";
import { runOf } from "./history.ts";

export interface DiffBundle extends AttemptRef {
  readonly runId: string;
  readonly root: string;
  readonly from: string;
  readonly to: string;
  readonly files: readonly DiffFile[];
  /** Their patches are left out: the bundle would be too large. */
  readonly omitted: readonly string[];
}

const MAX_BUNDLE_BYTES = 50 * 1024 * 1024;

export interface NodeDiffs {
  /** Throws RUN_NOT_FOUND, SNAPSHOT_NOT_FOUND, and what version control throws. */
  of(runId: string, attempt: AttemptRef): Promise<DiffBundle>;
}

export function nodeDiffs({ store, vcs }: { readonly store: RunStore; readonly vcs: WorkspaceVcs }): NodeDiffs {
  const flying = new Map<string, Promise<DiffBundle>>();
  const compute = async (runId: string, ref: AttemptRef): Promise<DiffBundle> => {
    await runOf(store, runId);
    const { start, end } = filesAround(await store.events(runId, 0), ref);
    if (!start || !end) throw noFiles(`attempt ${ref.attempt} of ${stateKey(ref)}`);
    if (start.root !== end.root)
      throw new SmoothError("VCS_FAILED", "the attempt began and ended in different folders");
    const { nodeId, iteration, attempt } = ref;
    const all = await vcs.diff(end.root, start.pointer, end.pointer);
    return { runId, nodeId, iteration, attempt, root: end.root, from: start.pointer, to: end.pointer, ...fitting(all) };
  };
  return {
    of(runId, ref) {
      const key = JSON.stringify([runId, stateKey(ref), ref.attempt]);
      const bundle = flying.get(key) ?? compute(runId, ref).finally(() => flying.delete(key)); // D1
      flying.set(key, bundle);
      return bundle;
    },
  };
}

/** D2. In order; a patch that does not fit any more keeps its line in the list. */
export function fitting(
  files: readonly DiffFile[],
  maxBytes = MAX_BUNDLE_BYTES,
): Pick<DiffBundle, "files" | "omitted"> {
  const encoder = new TextEncoder();
  const omitted: string[] = [];
  let left = maxBytes;
  const kept = files.map((file) => {
    const bytes = encoder.encode(file.patch).length;
    if (bytes <= left) return ((left -= bytes), file);
    omitted.push(file.path);
    return { ...file, patch: "" };
  });
  return { files: kept, omitted };
}
