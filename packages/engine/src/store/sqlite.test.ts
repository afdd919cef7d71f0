import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqlite } from "@smooth/platform/node/sqlite";
import type { Sql } from "@smooth/platform/ports";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { outputTable } from "../outputs/table.ts";
import { NOTHING } from "./port.ts";
import { openSqliteStore } from "./sqlite.ts";
import { runStoreContract } from "./store.contract.ts";
import { travelContract } from "./travel.contract.ts";

describe("SQLite store", () => runStoreContract(() => openSqliteStore(openSqlite(":memory:"))));
describe("SQLite store: time travel", () => travelContract(() => openSqliteStore(openSqlite(":memory:"))));

test("a schema that gained a field widens its table; one that changed a field is refused by name", async () => {
  const store = openSqliteStore(openSqlite(":memory:"));
  await store.defineOutputs([outputTable("t", z.object({ a: z.string() }))]);
  await store.defineOutputs([outputTable("t", z.object({ a: z.string(), fooBar: z.number() }))]);

  const changed = store.defineOutputs([outputTable("t", z.object({ a: z.number() }))]);

  await expect(changed).rejects.toMatchObject({ code: "DB_MISSING_COLUMNS", details: { table: "t", column: "a" } });
});

test("Q1: batches of one tick share one transaction", async () => {
  const sql = openSqlite(":memory:");
  let transactions = 0;
  const counting = {
    ...sql,
    transaction: <T>(body: () => T) => ((transactions += 1), sql.transaction(body as never) as T),
  };
  const store = openSqliteStore(counting as typeof sql);
  const runIds = Array.from({ length: 50 }, (_, at) => `run-${at}`);
  const owner = { host: "h", boot: "b", pid: 1, pidStartedAt: "1" };
  for (const runId of runIds) await store.create({ runId, workflow: "w", input: {}, auth: null, owner, atMs: 1 });
  transactions = 0;

  await Promise.all(runIds.map((runId) => store.commit({ runId, epoch: 1, atMs: 1, ...NOTHING })));

  expect(transactions).toBe(1);
});

test("a file of an older version gains the later columns and loses the gone ones, and what waited in it is due once", async () => {
  const sql = openSqlite(":memory:");
  sql.exec(`CREATE TABLE _smithers_runs (run_id TEXT PRIMARY KEY, workflow TEXT NOT NULL, status TEXT NOT NULL, error TEXT, owner TEXT,
    epoch INTEGER NOT NULL, heartbeat_at_ms INTEGER NOT NULL, last_seq INTEGER NOT NULL, cancel_requested_by TEXT,
    created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE _smithers_inputs (run_id TEXT PRIMARY KEY, input TEXT NOT NULL, auth TEXT NOT NULL);
    INSERT INTO _smithers_runs VALUES ('old', 'w', 'waiting-approval', NULL, NULL, 1, 5, 3, NULL, 5, 6);
    INSERT INTO _smithers_inputs VALUES ('old', '{}', 'null');
    CREATE TABLE _smithers_events (run_id TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (run_id, seq)) WITHOUT ROWID;
    INSERT INTO _smithers_events VALUES ('old', 3, 6, '{}');
    CREATE TABLE _smithers_travels (travel_id TEXT PRIMARY KEY, run_id TEXT NOT NULL, verb TEXT NOT NULL, by TEXT NOT NULL,
    to_seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, owner TEXT NOT NULL, result TEXT NOT NULL, detail TEXT, undo TEXT NOT NULL) WITHOUT ROWID;
    INSERT INTO _smithers_travels VALUES ('t', 'old', 'rewind', 'ann', 2, 6, '{}', 'success', NULL, '[]');`);

  const store = openSqliteStore(sql);

  expect(await store.runs({ dueAtMs: 6 })).toMatchObject([{ runId: "old", wakeAtMs: 6, lastSeq: 3, updatedAtMs: 6 }]);
  expect(await store.travels("old")).toMatchObject([{ atMs: 6, beatAtMs: 6 }]);
  const owner = { host: "h", boot: "b", pid: 1, pidStartedAt: "1" };
  expect(await store.create({ runId: "new", workflow: "w", input: {}, auth: null, owner, atMs: 7 })).toBe("created");
});

test("tables that are as they should be are left alone: a file is opened while another process writes to it", () => {
  const folder = mkdtempSync(join(tmpdir(), "smooth-sqlite-"));
  const open = (): Sql => openSqlite(join(folder, "runs.db"), { busyTimeoutMs: 1 });
  const [writer, reader] = [open(), open()];
  openSqliteStore(writer);
  writer.exec("BEGIN IMMEDIATE");

  expect(() => openSqliteStore(reader)).not.toThrow();

  for (const sql of [writer, reader]) sql.close();
  rmSync(folder, { recursive: true });
});

test("an event of a type that nobody wrote yet is refused by name", async () => {
  const sql = openSqlite(":memory:");
  const store = openSqliteStore(sql);
  sql.run("INSERT INTO _smithers_events VALUES ('run-a', 1, 1, ?)", [JSON.stringify({ type: "node.dreamt" })]);

  await expect(store.events("run-a", 0)).rejects.toMatchObject({
    code: "INTERNAL",
    message: expect.stringContaining("node.dreamt"),
  });
});

test("an index serves every question about one run, one node, a parent or a status", async () => {
  const sql = openSqlite(":memory:");
  const plans: string[] = [];
  const all: Sql["all"] = (text, params) => {
    plans.push(...sql.all(`EXPLAIN QUERY PLAN ${text}`, params).map((row) => String(row["detail"])));
    return sql.all(text, params);
  };
  const store = openSqliteStore({ ...sql, all });

  await store.approvals({ runId: "r" });
  await store.approvals({ runId: "r", ref: { nodeId: "n", iteration: 0 } });
  await store.runs({ parentRunId: "r" });
  await store.runs({ status: ["running"] });
  await store.runs({ status: ["waiting-timer"], dueAtMs: 5 });

  expect(plans.filter((detail) => /^SCAN (?!pragma|json_each)/.test(detail))).toEqual([]);
});
