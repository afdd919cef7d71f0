/** Forgetting runs that are over, with all that was made for them.
 *  N4. Folders go first, rows next, payloads last: whatever a crash leaves, the next round finds and takes.
 *  N5. A payload is only taken long after it was put: the row that refers to it may be on its way.
 *  N6. A dry run changes nothing and names what would go: runs, folders, payloads. */
import type { Blobs } from "@smooth/platform/ports";
import type { RunRow, RunStore } from "../store/port.ts";
import { planGc, type GcPlan, type GcPolicy } from "./gc.ts";

/** N5. A commit waits for a lock, a full disk, another machine's clock. */
const PAYLOAD_GRACE_MS = 60 * 60_000;

/** Folders that runs work in: worktrees and the like. */
export interface RunFolders {
  of(run: RunRow): Promise<readonly string[]>;
  /** With what was not committed in them. */
  remove(run: RunRow): Promise<void>;
}

export interface CollectDeps {
  readonly store: RunStore;
  readonly nowMs: number;
  /** Null: payloads lie in their rows. */
  readonly blobs: Blobs | null;
  readonly folders: RunFolders | null;
  /** False: it counts, and is never forgotten here. */
  readonly mayGo?: ((run: RunRow) => boolean) | undefined;
}

export interface Collected extends GcPlan {
  readonly folders: readonly { readonly runId: string; readonly path: string }[];
  readonly payloads: { readonly count: number; readonly bytes: number };
}

/** Throws what the store, the blobs and the folders throw. */
export async function collect(deps: CollectDeps, policy: GcPolicy, dryRun: boolean): Promise<Collected> {
  const { store, blobs, folders, nowMs, mayGo = () => true } = deps;
  const all = await store.runs({});
  // A run that may not go is one that goes on.
  const runs = all.map((run): RunRow => (mayGo(run) ? run : { ...run, status: "paused" }));
  const payloads = (await blobs?.list()) ?? [];
  const payloadBytes = new Map(payloads.map(({ sha256, bytes }) => [sha256, bytes]));
  const sizes = dryRun || policy.maxBytes !== undefined ? await store.sizes() : []; // They cost a look at every row.
  const plan = planGc({ runs, nowMs, sizes, payloadBytes }, policy);
  const going = new Set(plan.remove.map(({ runId }) => runId));
  const removed = all.filter(({ runId }) => going.has(runId));
  const found = await Promise.all(
    removed.map(async (run) => ((await folders?.of(run)) ?? []).map((path) => ({ runId: run.runId, path }))),
  );
  if (!dryRun) await take(deps, removed);
  const staying = sizes.filter(({ runId }) => !going.has(runId)).flatMap((size) => size.blobs);
  const keep = dryRun ? new Set(staying) : await store.blobRefs();
  const putBeforeMs = nowMs - PAYLOAD_GRACE_MS; // N5
  const swept = payloads.filter(({ sha256, putAtMs }) => !keep.has(sha256) && putAtMs < putBeforeMs);
  if (!dryRun) await blobs?.sweep({ keep, putBeforeMs });
  const bytes = swept.reduce((sum, payload) => sum + payload.bytes, 0);
  return { ...plan, folders: found.flat(), payloads: { count: swept.length, bytes } };
}

/** N4 */
async function take({ store, folders }: CollectDeps, runs: readonly RunRow[]): Promise<void> {
  for (const run of runs) await folders?.remove(run);
  if (runs.length > 0) await store.forget(runs.map(({ runId }) => runId));
}
