import type { Clock, Sql, SqlRow } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import type { RunSummary } from "@smooth/protocol/gateway";
import type { HostRecord } from "@smooth/protocol/host-sync";
import type { PearlId, RunId } from "@smooth/protocol/ids";
import type { RunEvent, RunEventBody, RunStatus } from "@smooth/protocol/run-events";

/** What happened in every run, and what the dashboard has not heard yet, in one database.
 *  L1. An event and its outbox row are one transaction: whatever a person here can see will reach the dashboard.
 *  L2. `seq` is gapless per run; the outbox `seq` is gapless per host, also after rows are acknowledged and removed.
 *  L3. A stream yields every event once, in order, from any `afterSeq`, and then live ones.
 *  L4. A record the dashboard refuses is kept aside whole; a word about it takes its place in the outbox, under its seq. */

const SCHEMA = `
CREATE TABLE IF NOT EXISTS run_log (
  run_id TEXT PRIMARY KEY, title TEXT NOT NULL, workflow TEXT NOT NULL, pearl_id TEXT, status TEXT NOT NULL, reason TEXT,
  demo INTEGER NOT NULL, pending_asks INTEGER NOT NULL DEFAULT 0, cost_usd REAL, started_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL, last_seq INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE IF NOT EXISTS run_event (
  run_id TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (run_id, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT, run_id TEXT, run_seq INTEGER) STRICT;
CREATE TABLE IF NOT EXISTS outbox_refused (
  seq INTEGER PRIMARY KEY, record TEXT NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT;`;

const PAGE = 500;

export interface NewRun {
  readonly runId: RunId;
  readonly title: string;
  readonly workflow: string;
  readonly pearlId: PearlId | null;
  readonly demo: boolean;
}

export interface RunFilter {
  readonly status?: RunStatus | undefined;
  readonly pearlId?: string | undefined;
  readonly limit: number;
}

export interface OutboxRow {
  readonly seq: number;
  readonly record: HostRecord;
}

export interface Refusal extends OutboxRow {
  readonly code: string;
  readonly message: string;
}

export class RunLog {
  readonly #sql: Sql;
  readonly #clock: Pick<Clock, "now">;
  readonly #wakers = new Set<() => void>();

  constructor(sql: Sql, clock: Pick<Clock, "now">) {
    this.#sql = sql;
    this.#clock = clock;
    sql.exec(SCHEMA);
  }

  /** Idempotent: a run that is known keeps its history. */
  open({ runId, title, workflow, pearlId, demo }: NewRun): void {
    this.#sql.transaction(() => {
      const nowMs = this.#clock.now();
      const { changes } = this.#sql.run(
        `INSERT INTO run_log (run_id, title, workflow, pearl_id, status, demo, started_at_ms, updated_at_ms)
         VALUES (?, ?, ?, ?, 'queued', ?, ?, ?) ON CONFLICT DO NOTHING`,
        [runId, title, workflow, pearlId, demo ? 1 : 0, nowMs, nowMs],
      );
      if (changes > 0) this.#append(runId, { type: "run.started", title, workflow, pearlId, demo });
    });
    this.#wake();
  }

  append(runId: string, ...bodies: RunEventBody[]): void {
    this.#sql.transaction(() => bodies.forEach((body) => this.#append(runId, body)));
    this.#wake();
  }

  /** Anything but a run event that the dashboard should know. */
  report(record: HostRecord): void {
    this.#sql.run("INSERT INTO outbox (record) VALUES (?)", [JSON.stringify(record)]);
    this.#wake();
  }

  summary(runId: string): RunSummary | undefined {
    const row = this.#sql.get("SELECT * FROM run_log WHERE run_id = ?", [runId]);
    return row && summaryOf(row);
  }

  list({ status, pearlId, limit }: RunFilter): RunSummary[] {
    return this.#sql
      .all(
        `SELECT * FROM run_log WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR pearl_id = ?2)
         ORDER BY started_at_ms DESC, run_id DESC LIMIT ?3`,
        [status ?? null, pearlId ?? null, limit],
      )
      .map(summaryOf);
  }

  /** At most one page after `afterSeq`. */
  read(runId: string, afterSeq: number): RunEvent[] {
    return this.#sql
      .all("SELECT seq, at_ms, body FROM run_event WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?", [
        runId,
        afterSeq,
        PAGE,
      ])
      .map((row) => eventOf(runId, row));
  }

  /** The newest event of one type. */
  latest<T extends RunEvent["type"]>(runId: string, type: T): Extract<RunEvent, { type: T }> | undefined {
    const row = this.#sql.get(
      "SELECT seq, at_ms, body FROM run_event WHERE run_id = ? AND body ->> 'type' = ? ORDER BY seq DESC LIMIT 1",
      [runId, type],
    );
    return row && (eventOf(runId, row) as Extract<RunEvent, { type: T }>);
  }

  async *stream(runId: string, afterSeq: number, signal: AbortSignal): AsyncGenerator<RunEvent> {
    let cursor = afterSeq;
    while (!signal.aborted) {
      const changed = this.changed(signal);
      const page = this.read(runId, cursor);
      for (const event of page) yield event;
      cursor = page.at(-1)?.seq ?? cursor;
      if (page.length === 0) await changed;
    }
  }

  /** Resolves at the next change, or when aborted. */
  changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#wakers.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.#wakers.add(done);
      signal.addEventListener("abort", done, { once: true });
      if (signal.aborted) done();
    });
  }

  outbox(limit: number): OutboxRow[] {
    return this.#sql
      .all(
        `SELECT o.seq AS out_seq, o.record, e.run_id, e.seq, e.at_ms, e.body FROM outbox o
         LEFT JOIN run_event e ON e.run_id = o.run_id AND e.seq = o.run_seq ORDER BY o.seq LIMIT ?`,
        [limit],
      )
      .map((row) => ({ seq: Number(row["out_seq"]), record: recordOf(row) }));
  }

  /** A host that enrols anew starts over: the dashboard hears everything again, from seq 1. */
  restartOutbox(first: readonly HostRecord[]): void {
    this.#sql.transaction(() => {
      this.#sql.run("DELETE FROM outbox");
      this.#sql.run("DELETE FROM outbox_refused");
      this.#sql.run("DELETE FROM sqlite_sequence WHERE name = 'outbox'");
      for (const record of first) this.#sql.run("INSERT INTO outbox (record) VALUES (?)", [JSON.stringify(record)]);
      this.#sql.run(
        "INSERT INTO outbox (run_id, run_seq) SELECT run_id, seq FROM run_event ORDER BY at_ms, run_id, seq",
      );
    });
    this.#wake();
  }

  acknowledge(throughSeq: number): void {
    this.#sql.run("DELETE FROM outbox WHERE seq <= ?", [throughSeq]);
  }

  /** What the dashboard has not heard of it yet goes up all the same (L1). */
  forget(runId: string): void {
    this.#sql.transaction(() => {
      const unheard = this.#sql.all(
        `SELECT o.seq AS out_seq, o.record, e.run_id, e.seq, e.at_ms, e.body FROM outbox o
         JOIN run_event e ON e.run_id = o.run_id AND e.seq = o.run_seq WHERE o.run_id = ?`,
        [runId],
      );
      for (const row of unheard)
        this.#sql.run("UPDATE outbox SET record = ?, run_id = NULL, run_seq = NULL WHERE seq = ?", [
          JSON.stringify(recordOf(row)),
          Number(row["out_seq"]),
        ]);
      this.#sql.run("DELETE FROM run_event WHERE run_id = ?", [runId]);
      this.#sql.run("DELETE FROM run_log WHERE run_id = ?", [runId]);
    });
    this.#wake();
  }

  /** L4 */
  refuse({ seq, record, code, message }: Refusal): void {
    this.#sql.transaction(() => {
      if (record.kind === "status") this.#sql.run("DELETE FROM outbox_refused WHERE record ->> 'kind' = 'status'");
      this.#sql.run(
        "INSERT INTO outbox_refused (seq, record, code, message, at_ms) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [seq, JSON.stringify(record), code, message, this.#clock.now()],
      );
      this.#sql.run("UPDATE outbox SET record = ?, run_id = NULL, run_seq = NULL WHERE seq = ?", [
        JSON.stringify(wordAbout({ seq, record, code, message })),
        seq,
      ]);
    });
  }

  #append(runId: string, body: RunEventBody): void {
    const last = this.#sql.get("SELECT last_seq FROM run_log WHERE run_id = ?", [runId]);
    if (!last) throw new SmoothError("RUN_NOT_FOUND", `no run ${runId}`, { details: { runId } });
    const seq = Number(last["last_seq"]) + 1;
    const nowMs = this.#clock.now();
    this.#sql.run("INSERT INTO run_event (run_id, seq, at_ms, body) VALUES (?, ?, ?, ?)", [
      runId,
      seq,
      nowMs,
      JSON.stringify(body),
    ]);
    this.#sql.run("UPDATE run_log SET last_seq = ?, updated_at_ms = ? WHERE run_id = ?", [seq, nowMs, runId]);
    summarise(this.#sql, runId, body);
    this.#sql.run("INSERT INTO outbox (run_id, run_seq) VALUES (?, ?)", [runId, seq]); // L1
  }

  #wake(): void {
    for (const wake of this.#wakers) wake();
  }
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

/** In a run's transcript the gap is named where it is. */
function wordAbout({ record, code, message }: Refusal): HostRecord {
  if (record.kind !== "run.event")
    return { kind: "refused", what: record.kind, code, message: message.slice(0, 1_000) };
  const { runId, seq, atMs, type } = record.event;
  const text = `The dashboard cannot take this event (${type}); it is on the host. Its reason: ${code}.`;
  return { kind: "run.event", event: { runId, seq, atMs, type: "note", text } };
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
