import type { Clock, Sql, SqlRow } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import type { RunSummary } from "@smooth/protocol/gateway";
import type { HostRecord } from "@smooth/protocol/host-sync";
import type { RunId } from "@smooth/protocol/ids";
import type { RunEvent, RunEventBody, RunStatus } from "@smooth/protocol/run-events";

/** What happened in every run, and what the dashboard has not heard yet, in one database.
 *  L1. An event and its outbox row are one transaction: whatever a person here can see will reach the dashboard.
 *  L2. `seq` is gapless per run; the outbox `seq` is gapless per host, also after rows are acknowledged and removed.
 *  L3. A stream yields every event once, in order, from any `afterSeq`, and then live ones. */

const SCHEMA = `
CREATE TABLE IF NOT EXISTS run_log (
  run_id TEXT PRIMARY KEY, title TEXT NOT NULL, workflow TEXT NOT NULL, pearl_id TEXT, status TEXT NOT NULL, reason TEXT,
  demo INTEGER NOT NULL, pending_asks INTEGER NOT NULL DEFAULT 0, cost_usd REAL, started_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL, last_seq INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE IF NOT EXISTS run_event (
  run_id TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (run_id, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT, run_id TEXT, run_seq INTEGER) STRICT;`;

const PAGE = 500;

export interface NewRun {
  readonly runId: RunId;
  readonly title: string;
  readonly workflow: string;
  readonly pearlId: string | null;
  readonly demo: boolean;
}

export interface OutboxRow {
  readonly seq: number;
  readonly record: HostRecord;
}

export type RunLog = ReturnType<typeof openRunLog>;

export function openRunLog(sql: Sql, clock: Pick<Clock, "now">) {
  sql.exec(SCHEMA);
  const wakers = new Set<() => void>();
  const wakeAll = (): void => {
    for (const wake of wakers) wake();
  };

  const appendIn = (runId: string, body: RunEventBody): RunEvent => {
    const last = sql.get("SELECT last_seq FROM run_log WHERE run_id = ?", [runId]);
    if (!last) throw new SmoothError("RUN_NOT_FOUND", `no run ${runId}`, { details: { runId } });
    const seq = Number(last["last_seq"]) + 1;
    const atMs = clock.now();
    sql.run("INSERT INTO run_event (run_id, seq, at_ms, body) VALUES (?, ?, ?, ?)", [
      runId,
      seq,
      atMs,
      JSON.stringify(body),
    ]);
    sql.run("UPDATE run_log SET last_seq = ?, updated_at_ms = ? WHERE run_id = ?", [seq, atMs, runId]);
    summarise(sql, runId, body);
    sql.run("INSERT INTO outbox (run_id, run_seq) VALUES (?, ?)", [runId, seq]);
    return { runId, seq, atMs, ...body } as RunEvent;
  };

  const read = (runId: string, afterSeq: number): RunEvent[] =>
    sql
      .all("SELECT seq, at_ms, body FROM run_event WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?", [
        runId,
        afterSeq,
        PAGE,
      ])
      .map((row) => eventOf(runId, row));

  return {
    /** Idempotent: a run that is known keeps its history. */
    open(run: NewRun): void {
      sql.transaction(() => {
        const nowMs = clock.now();
        const { changes } = sql.run(
          "INSERT INTO run_log (run_id, title, workflow, pearl_id, status, demo, started_at_ms, updated_at_ms) VALUES (?, ?, ?, ?, 'queued', ?, ?, ?) ON CONFLICT DO NOTHING",
          [run.runId, run.title, run.workflow, run.pearlId, run.demo ? 1 : 0, nowMs, nowMs],
        );
        if (changes > 0) {
          const { title, workflow, demo } = run;
          appendIn(run.runId, { type: "run.started", title, workflow, pearlId: run.pearlId as never, demo });
        }
      });
      wakeAll();
    },
    append(runId: string, ...bodies: RunEventBody[]): void {
      sql.transaction(() => bodies.forEach((body) => appendIn(runId, body)));
      wakeAll();
    },
    /** Anything but a run event that the dashboard should know. */
    report(record: HostRecord): void {
      sql.run("INSERT INTO outbox (record) VALUES (?)", [JSON.stringify(record)]);
      wakeAll();
    },
    summary(runId: string): RunSummary | undefined {
      const row = sql.get("SELECT * FROM run_log WHERE run_id = ?", [runId]);
      return row && summaryOf(row);
    },
    list({
      status,
      pearlId,
      limit,
    }: {
      status?: RunStatus | undefined;
      pearlId?: string | undefined;
      limit: number;
    }): RunSummary[] {
      return sql
        .all(
          "SELECT * FROM run_log WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR pearl_id = ?2) ORDER BY started_at_ms DESC, run_id DESC LIMIT ?3",
          [status ?? null, pearlId ?? null, limit],
        )
        .map(summaryOf);
    },
    read,
    async *stream(runId: string, afterSeq: number, signal: AbortSignal): AsyncGenerator<RunEvent> {
      let cursor = afterSeq;
      while (!signal.aborted) {
        const changed = nextChange(wakers, signal);
        const page = read(runId, cursor);
        for (const event of page) yield event;
        cursor = page.at(-1)?.seq ?? cursor;
        if (page.length === 0) await changed;
      }
    },
    /** Resolves at the next change, or when aborted. */
    changed: (signal: AbortSignal): Promise<void> => nextChange(wakers, signal),
    outbox(limit: number): OutboxRow[] {
      const rows = sql.all(
        "SELECT o.seq AS out_seq, o.record, e.run_id, e.seq, e.at_ms, e.body FROM outbox o LEFT JOIN run_event e ON e.run_id = o.run_id AND e.seq = o.run_seq ORDER BY o.seq LIMIT ?",
        [limit],
      );
      return rows.map((row) => ({ seq: Number(row["out_seq"]), record: recordOf(row) }));
    },
    acknowledge(throughSeq: number): void {
      sql.run("DELETE FROM outbox WHERE seq <= ?", [throughSeq]);
    },
  };
}

function nextChange(wakers: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      wakers.delete(done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    wakers.add(done);
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
  });
}

/** The columns lists show, kept in the same transaction as the event they come from. */
function summarise(sql: Sql, runId: string, body: RunEventBody): void {
  if (body.type === "run.status")
    sql.run("UPDATE run_log SET status = ?, reason = ? WHERE run_id = ?", [body.status, body.reason, runId]);
  if (body.type === "run.started")
    sql.run("UPDATE run_log SET status = 'running', reason = NULL WHERE run_id = ?", [runId]);
  if (body.type === "ask.opened")
    sql.run("UPDATE run_log SET pending_asks = pending_asks + 1 WHERE run_id = ?", [runId]);
  if (body.type === "ask.closed")
    sql.run("UPDATE run_log SET pending_asks = MAX(0, pending_asks - 1) WHERE run_id = ?", [runId]);
  if (body.type === "usage" && body.costUsd !== null)
    sql.run("UPDATE run_log SET cost_usd = COALESCE(cost_usd, 0) + ? WHERE run_id = ?", [body.costUsd, runId]);
}

function eventOf(runId: string, row: SqlRow): RunEvent {
  return {
    runId,
    seq: Number(row["seq"]),
    atMs: Number(row["at_ms"]),
    ...(JSON.parse(String(row["body"])) as RunEventBody),
  } as RunEvent;
}

function recordOf(row: SqlRow): HostRecord {
  if (row["record"] !== null) return JSON.parse(String(row["record"])) as HostRecord;
  return { kind: "run.event", event: eventOf(String(row["run_id"]), row) };
}

function summaryOf(row: SqlRow): RunSummary {
  return {
    runId: String(row["run_id"]) as RunId,
    title: String(row["title"]),
    workflow: String(row["workflow"]),
    pearlId: row["pearl_id"] as RunSummary["pearlId"],
    status: String(row["status"]) as RunStatus,
    reason: row["reason"] as string | null,
    demo: row["demo"] === 1,
    pendingAsks: Number(row["pending_asks"]),
    costUsd: row["cost_usd"] as number | null,
    startedAtMs: Number(row["started_at_ms"]),
    updatedAtMs: Number(row["updated_at_ms"]),
    lastSeq: Number(row["last_seq"]),
  };
}
