import type { GcPolicy } from "@smooth/engine/retention";
import { collect, type Collected } from "@smooth/engine/retention/collect";
import type { RunRow, RunStore } from "@smooth/engine/store";
import type { Blobs, Clock, Disk, Log } from "@smooth/platform/ports";
import type { Flows } from "./flows.ts";
import type { RunLog } from "./run-log.ts";

/** What a host forgets, so that its disk does not fill up with what is long over.
 *  G1. Only runs of workflow files that ended, and none that another run needs: the engine's plan decides. Operators' runs stay
 *      with their pearls.
 *  G2. With a run go its events, its worktrees with what was not committed in them, its names for states of files, and the
 *      payloads nobody refers to; a dry run names runs, folders and payloads.
 *  G3. It looks by itself once an hour; when the disk is nearly full, every few minutes. */

export interface RetentionDeps {
  readonly store: RunStore;
  readonly payloads: Blobs;
  readonly runLog: RunLog;
  readonly flows: Pick<Flows, "forget" | "worktreesOf">;
  readonly clock: Pick<Clock, "now">;
  readonly disk: Disk;
  readonly log: Log;
  readonly policy: GcPolicy;
}

const HOUR_MS = 3_600_000;
const LOW_DISK_EVERY_MS = 5 * 60_000;
const LOW_DISK_BYTES = 512 * 1024 * 1024;

export class Retention {
  readonly #deps: RetentionDeps;
  #lookedMs: number;

  constructor(deps: RetentionDeps) {
    this.#deps = deps;
    this.#lookedMs = deps.clock.now() - HOUR_MS + LOW_DISK_EVERY_MS; // not while the host starts, but soon
  }

  /** Without a wish of its own: by the host's policy. With `dryRun` nothing changes. */
  async collect({ dryRun, ...asked }: GcPolicy & { readonly dryRun: boolean }): Promise<Collected> {
    const { store, runLog, flows, clock, payloads, policy } = this.#deps;
    const fileOf = ({ runId }: RunRow): string => runLog.summary(runId)?.workflow ?? "";
    const folders = {
      of: (run: RunRow) => flows.worktreesOf(run.runId, fileOf(run)),
      remove: (run: RunRow) => flows.forget(run.runId, fileOf(run)), // G2
    };
    const mayGo = ({ runId }: RunRow): boolean => !runLog.summary(runId)?.pearlId; // G1
    const deps = { store, folders, mayGo, blobs: payloads, nowMs: clock.now() };
    const wish = Object.values(asked).some((limit) => limit !== undefined) ? asked : policy;
    const done = await collect(deps, wish, dryRun);
    if (!dryRun) for (const { runId } of done.remove) runLog.forget(runId);
    return done;
  }

  /** G3 */
  async tend(): Promise<void> {
    const { clock, disk, log } = this.#deps;
    const sinceMs = clock.now() - this.#lookedMs;
    if (sinceMs < LOW_DISK_EVERY_MS) return;
    if (sinceMs < HOUR_MS && (await disk.freeBytes()) >= LOW_DISK_BYTES) return;
    this.#lookedMs = clock.now();
    const { remove, payloads } = await this.collect({ dryRun: false });
    if (remove.length + payloads.count > 0)
      log.info("retention.forgot", { runs: remove.length, payloads: payloads.count, payloadBytes: payloads.bytes });
  }
}
