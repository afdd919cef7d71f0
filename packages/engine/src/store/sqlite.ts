/** Runs in one SQLite file.
 *  Q1. New runs and batches that arrive in one tick share one transaction: one sync for all of them.
 *  Q2. A stale batch is refused alone; the others of its transaction are written. */
import type { Sql } from "@smooth/platform/ports";
import { readCache } from "../cache/sqlite.ts";
import type { CacheEntry } from "../cache/port.ts";
import type { FrameRow } from "../frames/frame-log.ts";
import type { OutputTable } from "../outputs/table.ts";
import type { StoredEvent } from "../run/events.ts";
import type {
  ApprovalFilter,
  ApprovalRow,
  Batch,
  CommitResult,
  DecideResult,
  Heartbeat,
  NewRun,
  PastDecision,
  OutputCells,
  RunEpoch,
  RunFilter,
  RunRow,
  RunSize,
  RunStore,
} from "./port.ts";
import { approvalRow, frameRow, json, nodeRef, outputCells, pastDecision, runRow, storedEvent } from "./rows.ts";
import { defineEngineTables, defineOutputTable, quoted } from "./sqlite-schema.ts";
import { blobRefs, sizes } from "./sqlite-blobs.ts";
import { create, takeOver, write } from "./sqlite-commit.ts";
import { decide, pauseRow, requestCancel } from "./sqlite-requests.ts";
import { allOf, appendOutside, OVER_LIST } from "./sqlite-rows.ts";
import { sqliteTravel } from "./sqlite-travel.ts";
import type { TravelStore } from "./travel-port.ts";
import { watchers, type Watchers } from "./watchers.ts";

/** How many turns of the microtask queue a transaction waits for company: a turn costs 0.1 µs, a sync a thousand times more. */
const GATHER_HOPS = { alone: 4, inCompany: 100 };

const RUN_ROWS = `SELECT runs.*, input, auth, source, vcs_root, from_run, at_seq, fork_label, parent_run_id, parent_as, parent_key,
    last.seq AS last_seq, last.at_ms AS updated_at_ms
  FROM _smithers_runs runs JOIN _smithers_inputs USING (run_id) LEFT JOIN _smithers_metadata USING (run_id)
  LEFT JOIN _smithers_forks USING (run_id) LEFT JOIN _smithers_parents USING (run_id) LEFT JOIN _smithers_events last
    ON last.run_id = runs.run_id AND last.seq = (SELECT max(seq) FROM _smithers_events WHERE run_id = runs.run_id)`;
const ORPHANED = `parent_as = 'subflow'
  AND EXISTS (SELECT 1 FROM _smithers_runs p WHERE p.run_id = parent_run_id AND p.status IN ${OVER_LIST})`;

type Claim = Parameters<RunStore["claim"]>[0];

/** A write that waits for the transaction of its tick. */
interface Waiting {
  readonly write: () => void;
  readonly written: () => void;
  readonly reject: (error: unknown) => void;
}

/** The caller opens and closes `sql`. */
export function openSqliteStore(sql: Sql): RunStore {
  const listeners = watchers();
  return Object.assign(new SqliteStore(sql, listeners), sqliteTravel(sql, listeners.notify));
}

class SqliteStore implements Omit<RunStore, keyof TravelStore> {
  readonly #sql: Sql;
  readonly #watchers: Watchers;
  /** Runs that were created or claimed here and not released yet. */
  readonly #active = new Set<string>();
  readonly #defined = new WeakSet<OutputTable["columns"]>();
  readonly watch: Watchers["watch"];
  #waiting: Waiting[] = [];

  constructor(sql: Sql, listeners: Watchers) {
    this.#sql = sql;
    this.#watchers = listeners;
    this.watch = listeners.watch;
    defineEngineTables(sql);
  }

  async defineOutputs(tables: readonly OutputTable[]): Promise<void> {
    const unseen = tables.filter(({ columns }) => !this.#defined.has(columns));
    if (unseen.length > 0) this.#sql.transaction(() => unseen.forEach((table) => defineOutputTable(this.#sql, table)));
    for (const { columns } of unseen) this.#defined.add(columns);
  }

  create(run: NewRun): Promise<"created" | "exists"> {
    this.#active.add(run.runId);
    return this.#inCompany(() => create(this.#sql, run));
  }

  async claim(claim: Claim): Promise<number | null> {
    this.#active.add(claim.runId);
    const claimed = this.#sql.transaction(() => takeOver(this.#sql, claim));
    if (claimed) this.#watchers.notify(claim.runId);
    return claimed ? claim.epoch + 1 : null;
  }

  async claimSome({ runs, limit, ...by }: Parameters<RunStore["claimSome"]>[0]): Promise<readonly RunEpoch[]> {
    const claimed = this.#sql.transaction(() => {
      const free = runs.values().filter((run) => takeOver(this.#sql, { ...run, ...by }));
      return [...free.take(limit)];
    });
    for (const { runId } of claimed) {
      this.#active.add(runId);
      this.#watchers.notify(runId);
    }
    return claimed.map(({ runId, epoch }) => ({ runId, epoch: epoch + 1 }));
  }

  commit(batch: Batch): Promise<CommitResult> {
    if (batch.successor) this.#active.add(batch.successor.run.runId);
    if (batch.status) this.#active.delete(batch.runId);
    return this.#inCompany(() => write(this.#sql, batch));
  }

  /** Q1 */
  #inCompany<T>(body: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      let result: T;
      const waiting: Waiting = { write: () => void (result = body()), written: () => resolve(result), reject };
      this.#waiting.push(waiting);
      if (this.#waiting.length === 1) void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    const hops = this.#active.size > 1 ? GATHER_HOPS.inCompany : GATHER_HOPS.alone;
    for (let hop = 0; hop < hops; hop += 1) await Promise.resolve();
    const group = this.#waiting;
    this.#waiting = [];
    try {
      this.#sql.transaction(() => group.forEach(({ write: inTurn }) => inTurn()));
      for (const { written } of group) written();
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  async beat({ runId, epoch, atMs }: Parameters<RunStore["beat"]>[0]): Promise<boolean> {
    const text = "UPDATE _smithers_runs SET heartbeat_at_ms = ? WHERE run_id = ? AND epoch = ? AND owner IS NOT NULL";
    return this.#sql.run(text, [atMs, runId, epoch]).changes === 1;
  }

  async run(runId: string): Promise<RunRow | null> {
    const row = this.#sql.get(`${RUN_ROWS} WHERE runs.run_id = ?`, [runId]);
    return row ? runRow(row) : null;
  }

  async runs({
    status,
    dueAtMs,
    forkedFrom,
    parentRunId,
    orphaned,
    limit = -1,
  }: RunFilter): Promise<readonly RunRow[]> {
    const { where, params } = allOf([
      status && ["status IN (SELECT value FROM json_each(?))", JSON.stringify(status)],
      dueAtMs !== undefined && ["wake_at_ms <= ?", dueAtMs],
      forkedFrom !== undefined && ["from_run = ?", forkedFrom],
      parentRunId !== undefined && ["parent_run_id = ?", parentRunId],
      orphaned && [ORPHANED],
    ]);
    const text = `${RUN_ROWS} ${where} ORDER BY created_at_ms DESC, runs.run_id DESC LIMIT ?`;
    return this.#sql.all(text, [...params, limit]).map(runRow);
  }

  async events(runId: string, afterSeq: number, limit = -1): Promise<readonly StoredEvent[]> {
    const text = "SELECT seq, at_ms, body FROM _smithers_events WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?";
    return this.#sql.all(text, [runId, afterSeq, limit]).map((row) => storedEvent(runId, row));
  }

  async outputs(runId: string, table: OutputTable): Promise<readonly OutputCells[]> {
    return this.#sql
      .all(`SELECT * FROM ${quoted(table.name)} WHERE run_id = ?`, [runId])
      .map((row) => outputCells(table, row));
  }

  async blobRefs(): Promise<ReadonlySet<string>> {
    return blobRefs(this.#sql);
  }

  async sizes(): Promise<readonly RunSize[]> {
    return sizes(this.#sql);
  }

  async heartbeats(runId: string): Promise<readonly Heartbeat[]> {
    const rows = this.#sql.all("SELECT * FROM _smithers_heartbeats WHERE run_id = ?", [runId]);
    return rows.map((row) => ({ ...nodeRef(row), payload: json(row["payload"]) }));
  }

  async frames(runId: string, untilSeq = Number.MAX_SAFE_INTEGER): Promise<readonly FrameRow[]> {
    const text = `SELECT seq, is_full, delta FROM _smithers_frames WHERE run_id = ?1 AND seq <= ?2
      AND seq >= (SELECT max(seq) FROM _smithers_frames WHERE run_id = ?1 AND seq <= ?2 AND is_full) ORDER BY seq`;
    return this.#sql.all(text, [runId, untilSeq]).map(frameRow);
  }

  async approvals({ runId, ref, only }: ApprovalFilter): Promise<readonly ApprovalRow[]> {
    const { where, params } = allOf([
      runId !== undefined && ["run_id = ?", runId],
      ref && ["node_id = ? AND iteration = ?", ref.nodeId, ref.iteration],
      only && ["decision IS NULL AND voided = 0"],
    ]);
    const text = `SELECT * FROM _smithers_approvals ${where} ORDER BY opened_at_ms, node_id`;
    return this.#sql.all(text, params).map(approvalRow);
  }

  async pastDecisions(query: Parameters<RunStore["pastDecisions"]>[0]): Promise<readonly PastDecision[]> {
    const { workflow, nodeId, exceptRunId, exceptBy, limit } = query;
    const text = `SELECT decision ->> 'verdict' AS verdict, decided_by FROM _smithers_approvals
      WHERE workflow = ? AND node_id = ? AND decision IS NOT NULL AND run_id <> ? AND decided_by <> ?
      ORDER BY decided_at_ms DESC LIMIT ?`;
    return this.#sql.all(text, [workflow, nodeId, exceptRunId, exceptBy, limit]).map(pastDecision);
  }

  async cached(key: string): Promise<CacheEntry | null> {
    return readCache(this.#sql, key);
  }

  async decide(decision: Parameters<RunStore["decide"]>[0]): Promise<DecideResult> {
    const result = this.#sql.transaction(() => decide(this.#sql, decision));
    if (result.kind === "decided") this.#watchers.notify(decision.runId);
    return result;
  }

  async post(post: Parameters<RunStore["post"]>[0]): ReturnType<RunStore["post"]> {
    const posted = this.#sql.transaction(() => {
      const row = this.#sql.get(`SELECT status IN ${OVER_LIST} AS is_over FROM _smithers_runs WHERE run_id = ?`, [
        post.runId,
      ]);
      if (!row) return "not-found";
      if (row["is_over"] === 1) return "over";
      appendOutside(this.#sql, post, post.event);
      return "posted";
    });
    this.#watchers.notify(post.runId);
    return posted;
  }

  async pause(pause: Parameters<RunStore["pause"]>[0]): ReturnType<RunStore["pause"]> {
    const result = this.#sql.transaction(() => pauseRow(this.#sql, pause));
    this.#watchers.notify(pause.runId);
    return result;
  }

  async requestCancel(
    cancel: Parameters<RunStore["requestCancel"]>[0],
  ): Promise<"requested" | "cancelled" | "not-running"> {
    const result = this.#sql.transaction(() => requestCancel(this.#sql, cancel));
    this.#watchers.notify(cancel.runId);
    return result;
  }
}
