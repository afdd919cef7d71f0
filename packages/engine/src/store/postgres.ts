/** Runs in one Postgres database, for workers on several machines.
 *  G4. Batches that arrive in one tick, and those that arrive while a group is on its way, share one transaction.
 *  G5. Notifications are hints: who misses one sees the row at its next look. */
import type { PgQuery, Postgres } from "@smooth/platform/ports";
import type { CacheEntry } from "../cache/port.ts";
import type { FrameRow } from "../frames/frame-log.ts";
import type { OutputTable } from "../outputs/table.ts";
import { OVER, RunStatus, type StoredEvent } from "../run/events.ts";
import { NO_METADATA } from "../run/metadata.ts";
import {
  claimEvents,
  MUST_HEAR,
  pauseEvents,
  type ApprovalFilter,
  type ApprovalRow,
  type Batch,
  type CommitResult,
  type DecideResult,
  type Heartbeat,
  type NewRun,
  type OutputCells,
  type PastDecision,
  type RunEpoch,
  type RunFilter,
  type RunRow,
  type RunSize,
  type RunStore,
  type Successor,
} from "./port.ts";
import { commitStatement } from "./postgres-commit.ts";
import { blobRefs, sizes } from "./postgres-blobs.ts";
import { append, insertOutput, writeMetadata } from "./postgres-rows.ts";
import { postgresTravel } from "./postgres-travel.ts";
import { defineOutputTables, ENGINE_TABLES, fromPg } from "./postgres-schema.ts";
import { approvalRow, frameRow, json, nodeRef, outputCells, pastDecision, runRow, storedEvent } from "./rows.ts";
import { quoted } from "./sqlite-schema.ts";
import type { TravelStore } from "./travel-port.ts";
import { watchers, type Watchers } from "./watchers.ts";

const CHANNEL = "smithers_runs";
const RUNS = `SELECT * FROM _smithers_runs JOIN _smithers_inputs USING (run_id) LEFT JOIN _smithers_metadata USING (run_id)
  LEFT JOIN _smithers_forks USING (run_id) LEFT JOIN _smithers_parents USING (run_id)`;
const OVER_LIST = [...OVER].map((status) => `'${status}'`).join(", ");
const ORPHANED = `AND parent_as = 'subflow'
  AND EXISTS (SELECT 1 FROM _smithers_runs p WHERE p.run_id = parent_run_id AND p.status IN (${OVER_LIST}))`;
/** Two workers touched the same runs in different order; this one was rolled back. */
const DEADLOCK = "40P01";

type Claim = Parameters<RunStore["claim"]>[0];
type Decision = Parameters<RunStore["decide"]>[0];
type Cancel = Parameters<RunStore["requestCancel"]>[0];

interface Waiting {
  readonly batch: Batch;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: unknown) => void;
}

/** The caller opens and closes `pg`. */
export async function openPostgresStore(pg: Postgres): Promise<RunStore> {
  await pg.exec(ENGINE_TABLES);
  const listeners = watchers();
  const tell = telling(pg, listeners);
  // G5
  await pg.listen(CHANNEL, (payload) => {
    if (payload === null) return listeners.notifyAll();
    const [from, ...runId] = payload.split(" ");
    if (from !== pg.name) listeners.notify(runId.join(" "));
  });
  return Object.assign(new PostgresStore({ pg, listeners, tell }), postgresTravel(pg, tell));
}

/** Does something to a run on one transaction, and wakes its owner wherever it lives when there is news. */
export type Tell = <T>(runId: string, body: (query: PgQuery) => Promise<{ result: T; news: boolean }>) => Promise<T>;

const telling =
  (pg: Postgres, listeners: Watchers): Tell =>
  async (runId, body) => {
    const { result, news } = await pg.transaction(async (query) => {
      const done = await body(query);
      if (done.news) await query("SELECT pg_notify($1, $2)", [CHANNEL, `${pg.name} ${runId}`]);
      return done;
    });
    if (news) listeners.notify(runId);
    return result;
  };

interface Parts {
  readonly pg: Postgres;
  readonly listeners: Watchers;
  readonly tell: Tell;
}

class PostgresStore implements Omit<RunStore, keyof TravelStore> {
  readonly #pg: Postgres;
  readonly #watchers: Watchers;
  readonly watch: Watchers["watch"];
  readonly #tell: Tell;
  readonly #defined = new WeakSet<OutputTable["columns"]>();
  #flushing = false;
  #waiting: Waiting[] = [];

  constructor({ pg, listeners, tell }: Parts) {
    this.#pg = pg;
    this.#watchers = listeners;
    this.watch = listeners.watch;
    this.#tell = tell;
  }

  async defineOutputs(tables: readonly OutputTable[]): Promise<void> {
    const unseen = tables.filter(({ columns }) => !this.#defined.has(columns));
    if (unseen.length > 0) await this.#pg.transaction((query) => defineOutputTables(query, unseen));
    for (const { columns } of unseen) this.#defined.add(columns);
  }

  async create(run: NewRun): Promise<"created" | "exists"> {
    return await this.#pg.transaction((query) => create(query, run));
  }

  async claim(claim: Claim): Promise<number | null> {
    const claimed = await this.#tell(claim.runId, async (query) => {
      const taken = await takeOver(query, claim);
      return { result: taken, news: taken };
    });
    return claimed ? claim.epoch + 1 : null;
  }

  async claimSome({ runs, limit, ...by }: Parameters<RunStore["claimSome"]>[0]): Promise<readonly RunEpoch[]> {
    const claimed = await this.#pg.transaction(async (query) => {
      const free = await query(
        `SELECT run_id, r.epoch FROM unnest($1::text[], $2::int[]) WITH ORDINALITY AS p(run_id, epoch, place)
         JOIN _smithers_runs r USING (run_id) WHERE r.epoch = p.epoch ORDER BY p.place LIMIT $3 FOR UPDATE OF r SKIP LOCKED`,
        [runs.map(({ runId }) => runId), runs.map(({ epoch }) => epoch), limit],
      );
      const taken = free.map((row) => ({ runId: String(row["run_id"]), epoch: Number(row["epoch"]) }));
      for (const run of taken) await takeOver(query, { ...run, ...by });
      return taken;
    });
    for (const { runId } of claimed) this.#watchers.notify(runId);
    return claimed.map(({ runId, epoch }) => ({ runId, epoch: epoch + 1 }));
  }

  /** G4 */
  commit(batch: Batch): Promise<CommitResult> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ batch, resolve, reject });
      if (!this.#flushing) void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    this.#flushing = true;
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#nextGroup();
      try {
        const firstSeqs = await this.#write(group.map(({ batch }) => batch));
        for (const { batch, resolve } of group) {
          const firstSeq = firstSeqs.get(batch.runId);
          resolve(firstSeq === undefined ? await this.#refusal(batch) : { kind: "committed", firstSeq });
        }
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#flushing = false;
  }

  /** S9. Its owner still, so it is behind. */
  async #refusal({ runId, epoch, status }: Batch): Promise<CommitResult> {
    if (!status || !MUST_HEAR.has(status.status)) return { kind: "stale" };
    const text = "SELECT 1 FROM _smithers_runs WHERE run_id = $1 AND epoch = $2 AND owner IS NOT NULL";
    return { kind: (await this.#pg.query(text, [runId, epoch])).length === 1 ? "behind" : "stale" };
  }

  /** A run stands in a group once; its second batch waits for the next one. */
  #nextGroup(): readonly Waiting[] {
    const group = new Map<string, Waiting>();
    this.#waiting = this.#waiting.filter((waiting) => {
      if (group.has(waiting.batch.runId)) return true;
      group.set(waiting.batch.runId, waiting);
      return false;
    });
    return [...group.values()];
  }

  async #write(batches: readonly Batch[]): Promise<ReadonlyMap<string, number>> {
    try {
      const hasSuccessor = batches.some(({ successor }) => successor);
      return hasSuccessor
        ? await this.#pg.transaction((query) => write(query, batches))
        : await write(this.#pg.query, batches);
    } catch (error) {
      if ((error as { code?: unknown }).code === DEADLOCK) return await this.#write(batches);
      throw error;
    }
  }

  async beat({ runId, epoch, atMs }: Parameters<RunStore["beat"]>[0]): Promise<boolean> {
    const text =
      "UPDATE _smithers_runs SET heartbeat_at_ms = $1 WHERE run_id = $2 AND epoch = $3 AND owner IS NOT NULL RETURNING run_id";
    return (await this.#pg.query(text, [atMs, runId, epoch])).length === 1;
  }

  async run(runId: string): Promise<RunRow | null> {
    const [row] = await this.#pg.query(`${RUNS} WHERE run_id = $1`, [runId]);
    return row ? runRow(row) : null;
  }

  async runs({ status, dueAtMs, forkedFrom, parentRunId, orphaned, limit }: RunFilter): Promise<readonly RunRow[]> {
    const text = `${RUNS} WHERE ($1::text[] IS NULL OR status = ANY($1)) AND ($2::bigint IS NULL OR wake_at_ms <= $2)
      AND ($3::text IS NULL OR from_run = $3) AND ($4::text IS NULL OR parent_run_id = $4) ${orphaned ? ORPHANED : ""}
      ORDER BY created_at_ms DESC, run_id COLLATE "C" DESC LIMIT $5`;
    const asked = [status ? [...status] : null, dueAtMs ?? null, forkedFrom ?? null, parentRunId ?? null];
    const params = [...asked, limit ?? null];
    return (await this.#pg.query(text, params)).map(runRow);
  }

  async events(runId: string, afterSeq: number, limit?: number): Promise<readonly StoredEvent[]> {
    const text = "SELECT seq, at_ms, body FROM _smithers_events WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    return (await this.#pg.query(text, [runId, afterSeq, limit ?? null])).map((row) => storedEvent(runId, row));
  }

  async outputs(runId: string, table: OutputTable): Promise<readonly OutputCells[]> {
    const rows = await this.#pg.query(`SELECT * FROM ${quoted(table.name)} WHERE run_id = $1`, [runId]);
    return rows.map((row) => outputCells(table, fromPg(row)));
  }

  async blobRefs(): Promise<ReadonlySet<string>> {
    return await blobRefs(this.#pg.query);
  }

  async sizes(): Promise<readonly RunSize[]> {
    return await sizes(this.#pg.query);
  }

  async heartbeats(runId: string): Promise<readonly Heartbeat[]> {
    const rows = await this.#pg.query("SELECT * FROM _smithers_heartbeats WHERE run_id = $1", [runId]);
    return rows.map((row) => ({ ...nodeRef(row), payload: json(row["payload"]) }));
  }

  async frames(runId: string, untilSeq = Number.MAX_SAFE_INTEGER): Promise<readonly FrameRow[]> {
    const text = `SELECT seq, is_full, delta FROM _smithers_frames WHERE run_id = $1 AND seq <= $2
      AND seq >= (SELECT max(seq) FROM _smithers_frames WHERE run_id = $1 AND seq <= $2 AND is_full = 1) ORDER BY seq`;
    return (await this.#pg.query(text, [runId, untilSeq])).map(frameRow);
  }

  async approvals({ runId, ref, only }: ApprovalFilter): Promise<readonly ApprovalRow[]> {
    const text = `SELECT * FROM _smithers_approvals WHERE ($1::text IS NULL OR run_id = $1)
      AND ($2::text IS NULL OR decision IS NULL AND voided = 0)
      AND ($3::text IS NULL OR node_id = $3 AND iteration = $4) ORDER BY opened_at_ms, node_id COLLATE "C"`;
    const asked = [runId ?? null, only ?? null, ref?.nodeId ?? null, ref?.iteration ?? null];
    return (await this.#pg.query(text, asked)).map(approvalRow);
  }

  async pastDecisions(query: Parameters<RunStore["pastDecisions"]>[0]): Promise<readonly PastDecision[]> {
    const { workflow, nodeId, exceptRunId, exceptBy, limit } = query;
    const text = `SELECT decision::json ->> 'verdict' AS verdict, decided_by FROM _smithers_approvals
      WHERE workflow = $1 AND node_id = $2 AND decision IS NOT NULL AND run_id <> $3 AND decided_by <> $4
      ORDER BY decided_at_ms DESC LIMIT $5`;
    return (await this.#pg.query(text, [workflow, nodeId, exceptRunId, exceptBy, limit])).map(pastDecision);
  }

  async cached(key: string): Promise<CacheEntry | null> {
    const [row] = await this.#pg.query("SELECT run_id, row, at_ms FROM _smithers_cache WHERE key = $1", [key]);
    return row ? { key, runId: String(row["run_id"]), row: String(row["row"]), atMs: Number(row["at_ms"]) } : null;
  }

  async decide(decision: Decision): Promise<DecideResult> {
    return await this.#tell(decision.runId, async (query) => {
      const result = await decide(query, decision);
      return { result, news: result.kind === "decided" };
    });
  }

  async post({ runId, event, atMs }: Parameters<RunStore["post"]>[0]): ReturnType<RunStore["post"]> {
    return await this.#tell(runId, async (query) => {
      const [row] = await query("SELECT status FROM _smithers_runs WHERE run_id = $1 FOR UPDATE", [runId]);
      if (!row) return { result: "not-found", news: false };
      if (OVER.has(RunStatus.parse(row["status"]))) return { result: "over", news: false };
      await append(query, { runId, atMs }, event);
      return { result: "posted", news: true };
    });
  }

  async pause({ runId, wanted, by, atMs }: Parameters<RunStore["pause"]>[0]): ReturnType<RunStore["pause"]> {
    return await this.#tell(runId, async (query) => {
      const [row] = await query("SELECT status, owner FROM _smithers_runs WHERE run_id = $1 FOR UPDATE", [runId]);
      if (!row) return { result: "not-found", news: false };
      if (OVER.has(RunStatus.parse(row["status"]))) return { result: "over", news: false };
      const owned = row["owner"] !== null;
      if (!owned && wanted === (row["status"] === "paused")) return { result: "done", news: false };
      for (const event of pauseEvents({ wanted, by, owned })) await append(query, { runId, atMs }, event);
      if (owned) return { result: "requested", news: true };
      const status = wanted ? "paused" : "running";
      await query("UPDATE _smithers_runs SET status = $1, wake_at_ms = NULL WHERE run_id = $2", [status, runId]);
      return { result: "done", news: true };
    });
  }

  async requestCancel(cancel: Cancel): ReturnType<RunStore["requestCancel"]> {
    return await this.#tell(cancel.runId, async (query) => {
      const result = await requestCancel(query, cancel);
      return { result, news: result !== "not-running" };
    });
  }
}

/** By run, the seq of the first event; a stale batch is not there. */
async function write(query: PgQuery, batches: readonly Batch[]): Promise<ReadonlyMap<string, number>> {
  const { text, params } = commitStatement(batches);
  const rows = await query(text, params);
  const firstSeqs = new Map(rows.map((row) => [String(row["run_id"]), Number(row["before_seq"]) + 1]));
  for (const { runId, successor } of batches)
    if (successor && firstSeqs.has(runId)) await createSuccessor(query, successor);
  return firstSeqs;
}

/** S8 */
async function createSuccessor(query: PgQuery, { run, events, outputs }: Successor): Promise<void> {
  await create(query, run);
  for (const event of events) await append(query, run, event);
  for (const output of outputs) await insertOutput(query, run.runId, output);
}

async function decide(
  query: PgQuery,
  { runId, nodeId, iteration, decision, by, atMs }: Decision,
): Promise<DecideResult> {
  const [row] = await query(
    "SELECT decided_by, decided_at_ms, voided FROM _smithers_approvals WHERE run_id = $1 AND node_id = $2 AND iteration = $3 FOR UPDATE",
    [runId, nodeId, iteration],
  );
  if (!row) return { kind: "not-found" };
  if (row["voided"] === 1) return { kind: "void" };
  if (row["decided_by"] !== null)
    return { kind: "already-decided", by: String(row["decided_by"]), atMs: Number(row["decided_at_ms"]) };
  await query(
    `UPDATE _smithers_approvals SET decision = $4, decided_by = $5, decided_at_ms = $6
     WHERE run_id = $1 AND node_id = $2 AND iteration = $3`,
    [runId, nodeId, iteration, JSON.stringify(decision), by, atMs],
  );
  await append(query, { runId, atMs }, { type: "approval.decided", nodeId, iteration, verdict: decision.verdict, by });
  return { kind: "decided" };
}

async function requestCancel(
  query: PgQuery,
  { runId, by, atMs }: Cancel,
): Promise<"requested" | "cancelled" | "not-running"> {
  const [row] = await query(
    "UPDATE _smithers_runs SET cancel_requested_by = $1 WHERE run_id = $2 AND NOT status = ANY($3) RETURNING owner",
    [by, runId, [...OVER]],
  );
  if (!row) return "not-running";
  if (row["owner"] !== null) return "requested";
  await append(query, { runId, atMs }, { type: "run.status", status: "cancelled" });
  await query(
    "UPDATE _smithers_runs SET status = 'cancelled', epoch = epoch + 1, wake_at_ms = NULL WHERE run_id = $1",
    [runId],
  );
  await query("UPDATE _smithers_approvals SET voided = 1 WHERE run_id = $1 AND decision IS NULL", [runId]);
  return "cancelled";
}

async function create(
  query: PgQuery,
  { runId, workflow, input, auth, metadata = NO_METADATA, parent, owner, atMs }: NewRun,
): Promise<"created" | "exists"> {
  const created = await query(
    `INSERT INTO _smithers_runs (run_id, workflow, status, owner, epoch, heartbeat_at_ms, last_seq, created_at_ms, updated_at_ms)
     VALUES ($1, $2, 'running', $3, 1, $4, 0, $4, $4) ON CONFLICT DO NOTHING RETURNING run_id`,
    [runId, workflow, JSON.stringify(owner), atMs],
  );
  if (created.length === 0) return "exists";
  await query("INSERT INTO _smithers_inputs VALUES ($1, $2, $3)", [runId, JSON.stringify(input), JSON.stringify(auth)]);
  await writeMetadata(query, runId, metadata);
  if (parent)
    await query("INSERT INTO _smithers_parents VALUES ($1, $2, $3, $4)", [runId, parent.runId, parent.as, parent.key]);
  await append(query, { runId, atMs }, { type: "run.started", workflow });
  return "created";
}

async function takeOver(query: PgQuery, { runId, epoch, owner, atMs, accepted }: Claim): Promise<boolean> {
  const taken = await query(
    `UPDATE _smithers_runs SET epoch = epoch + 1, owner = $1, heartbeat_at_ms = $2, status = 'running', wake_at_ms = NULL, error = NULL
     WHERE run_id = $3 AND epoch = $4 RETURNING run_id`,
    [JSON.stringify(owner), atMs, runId, epoch],
  );
  if (taken.length === 0) return false;
  if (accepted) await writeMetadata(query, runId, accepted.metadata);
  for (const event of claimEvents(epoch + 1, accepted)) await append(query, { runId, atMs }, event);
  return true;
}
