import { planGc, type GcPlan, type GcPolicy } from "@smooth/engine/retention";
import type { RunStore } from "@smooth/engine/store";
import type { Blobs, Clock, Disk, Log } from "@smooth/platform/ports";
import type { Flows } from "./flows.ts";
import type { RunLog } from "./run-log.ts";

/** What a host forgets, so that its disk does not fill up with what is long over.
 *  G1. Only runs of workflow files that ended, and none that another run needs: the engine's plan decides. Operators' runs stay
 *      with their pearls.
 *  G2. With a run go its events, its worktrees with what was not committed in them, and the payloads nobody refers to.
 *  G3. It looks by itself once an hour; when the disk is nearly full, every few minutes. */

export interface RetentionDeps {
  readonly store: RunStore;
  readonly payloads: Blobs;
  readonly runLog: RunLog;
  readonly flows: Pick<Flows, "forget">;
  readonly clock: Pick<Clock, "now">;
  readonly disk: Disk;
  readonly log: Log;
  readonly policy: GcPolicy;
}

interface Collected extends GcPlan {
  readonly freedBlobs: number;
}

const HOUR_MS = 3_600_000;
const LOW_DISK_EVERY_MS = 5 * 60_000;
const LOW_DISK_BYTES = 512 * 1024 * 1024;
/** A payload's row may be on its way. */
const BLOB_GRACE_MS = 10 * 60_000;

export class Retention {
  readonly #deps: RetentionDeps;
  #lookedMs: number;

  constructor(deps: RetentionDeps) {
    this.#deps = deps;
    this.#lookedMs = deps.clock.now() - HOUR_MS + LOW_DISK_EVERY_MS; // not while the host starts, but soon
  }

  /** With `dryRun` nothing changes. */
  async collect({ dryRun, ...asked }: GcPolicy & { readonly dryRun: boolean }): Promise<Collected> {
    const { store, runLog, flows, clock, payloads, policy } = this.#deps;
    const given = asked.maxAgeMs === undefined && asked.keepNewest === undefined ? policy : asked;
    const runs = (await store.runs({})).filter(({ runId }) => !runLog.summary(runId)?.pearlId); // G1
    const plan = planGc(runs, given, clock.now());
    if (dryRun) return { ...plan, freedBlobs: 0 };
    for (const { runId } of plan.remove) await flows.forget(runId, runLog.summary(runId)?.workflow ?? ""); // G2
    if (plan.remove.length > 0) await store.forget(plan.remove.map(({ runId }) => runId));
    for (const { runId } of plan.remove) runLog.forget(runId);
    const keep = await store.blobRefs();
    return { ...plan, freedBlobs: await payloads.sweep({ keep, putBeforeMs: clock.now() - BLOB_GRACE_MS }) };
  }

  /** G3 */
  async tend(): Promise<void> {
    const { clock, disk, log } = this.#deps;
    const sinceMs = clock.now() - this.#lookedMs;
    if (sinceMs < LOW_DISK_EVERY_MS) return;
    if (sinceMs < HOUR_MS && (await disk.freeBytes()) >= LOW_DISK_BYTES) return;
    this.#lookedMs = clock.now();
    const { remove, freedBlobs } = await this.collect({ dryRun: false });
    if (remove.length + freedBlobs > 0) log.info("retention.forgot", { runs: remove.length, blobs: freedBlobs });
  }
}
