/** The Postgres store against a real server; several real workers on it are in packages/workflow/src/workers.machine.test.ts. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openPostgres } from "@smooth/platform/node/postgres";
import type { Postgres } from "@smooth/platform/ports";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { startPostgres, type Postgres as Server } from "../../../../scripts/postgres.ts";
import { decodeRow, encodeRow, outputTable } from "../outputs/table.ts";
import { withBlobsContract } from "../blobs/blobs.contract.ts";
import { openPostgresSchedules } from "../schedules/postgres.ts";
import { schedulesContract } from "../schedules/schedules.contract.ts";
import { NOTHING, type Batch } from "./port.ts";
import { openPostgresStore } from "./postgres.ts";
import { runStoreContract } from "./store.contract.ts";
import { travelContract } from "./travel.contract.ts";

const home = mkdtempSync(join(tmpdir(), "smooth-pg-store-"));
let server: Server;
beforeAll(async () => {
  server = await startPostgres(join(home, "data"));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(home, { recursive: true });
});

const opened: Postgres[] = [];
let schemas = 0;
afterEach(async () => {
  for (const pg of opened.splice(0)) await pg.close();
});

/** Connections to a schema of one's own, so that tests share nothing; each call is another worker. */
async function freshSchema(): Promise<() => Postgres> {
  const admin = openPostgres(server.url);
  const schema = `test_${(schemas += 1)}`;
  await admin.exec(`CREATE SCHEMA ${schema}`);
  await admin.close();
  const url = new URL(server.url);
  url.searchParams.set("options", `-c search_path=${schema}`);
  return () => {
    const pg = openPostgres(url.href, { maxConnections: 3 });
    opened.push(pg);
    return pg;
  };
}
const openStore = async () => await openPostgresStore((await freshSchema())());

describe("Postgres store", () => runStoreContract(openStore));
describe("Postgres store: large payloads", () => withBlobsContract(openStore));
describe("Postgres store: time travel", () => travelContract(openStore));
describe("Postgres schedules", () => schedulesContract(async () => openPostgresSchedules((await freshSchema())())));

const OWNER = { host: "h", boot: "b", pid: 1, pidStartedAt: "1" };
const newRun = (runId: string) => ({ runId, workflow: "w", input: {}, auth: null, owner: OWNER, atMs: 1 });
const emptyBatch = (runId: string): Batch => ({
  runId,
  epoch: 1,
  atMs: 1,
  ...NOTHING,
});

test("O1: text that Postgres cannot hold comes back exactly", async () => {
  const table = outputTable("texts", z.object({ plain: z.string(), nested: z.array(z.string()) }));
  const store = await openStore();
  await store.defineOutputs([table]);
  await store.create(newRun("r"));
  const texts = ["a\0b", "\u0001", '\u0001"quoted"', "", "✓ 𝄞", "{}", "\\x00", "NULL"];

  const outputs = texts.map((text, iteration) => ({
    table,
    nodeId: "n",
    iteration,
    cells: encodeRow(table, { plain: text, nested: [text] }),
  }));
  await store.commit({ ...emptyBatch("r"), outputs });

  const rows = (await store.outputs("r", table)).toSorted((a, b) => a.iteration - b.iteration);
  expect(rows.map(({ cells }) => decodeRow(table, cells))).toEqual(texts.map((plain) => ({ plain, nested: [plain] })));
});

test("a schema that gained a field widens its table; one that changed a field is refused by name", async () => {
  const store = await openStore();
  await store.defineOutputs([outputTable("t", z.object({ a: z.string(), list: z.array(z.string()) }))]);
  await store.defineOutputs([outputTable("t", z.object({ a: z.string(), fooBar: z.number() }))]);

  for (const schema of [z.object({ a: z.number() }), z.object({ list: z.string() })])
    await expect(store.defineOutputs([outputTable("t", schema)])).rejects.toMatchObject({ code: "DB_MISSING_COLUMNS" });
  await expect(store.defineOutputs([outputTable("t".repeat(64), z.object({}))])).rejects.toMatchObject({
    code: "INVALID_INPUT",
  });
});

test("G1: workers that open one database at the same time define its tables once", async () => {
  const connect = await freshSchema();

  const stores = await Promise.all([1, 2, 3, 4].map(() => openPostgresStore(connect())));
  await Promise.all(stores.map((store) => store.defineOutputs([outputTable("t", z.object({ a: z.string() }))])));

  expect(await stores[0]?.create(newRun("r"))).toBe("created");
});

test("G4: batches of one tick are one statement, whatever they hold and of how many runs", async () => {
  const pg = (await freshSchema())();
  let statements = 0;
  const counting = { ...pg, query: (...args: Parameters<typeof pg.query>) => ((statements += 1), pg.query(...args)) };
  const store = await openPostgresStore(counting);
  const table = outputTable("t", z.object({ a: z.number() }));
  await store.defineOutputs([table]);
  const runIds = Array.from({ length: 50 }, (_, at) => `run-${at}`);
  for (const runId of runIds) await store.create(newRun(runId));
  statements = 0;

  const finished = { type: "node.finished", nodeId: "n", iteration: 0, output: "t" } as const;
  const results = await Promise.all(
    runIds.map((runId, at) =>
      store.commit({
        ...emptyBatch(runId),
        epoch: at === 7 ? 2 : 1,
        events: [finished],
        outputs: [{ table, nodeId: "n", iteration: 0, cells: [at, null] }],
        approvals: [
          { nodeId: "ask", iteration: 0, mode: "approve", request: { title: "Go?" }, workflow: "w", decided: null },
        ],
      }),
    ),
  );

  expect(statements).toBe(1);
  expect(results.map(({ kind }) => kind)).toEqual(runIds.map((_, at) => (at === 7 ? "stale" : "committed")));
  expect((await store.outputs("run-8", table)).map(({ cells }) => cells)).toEqual([[8, null]]);
  expect(await store.outputs("run-7", table)).toEqual([]);
});

test("G5: a worker is woken by what another one did to its run, and not by itself", async () => {
  const connect = await freshSchema();
  const [mine, other] = [await openPostgresStore(connect()), await openPostgresStore(connect())];
  for (const runId of ["a", "b"]) await mine.create(newRun(runId));
  const heard: string[] = [];
  let hear = (): void => {};
  const next = () => new Promise<void>((resolve) => (hear = resolve));
  for (const runId of ["a", "b"])
    mine.watch(runId, () => {
      heard.push(runId);
      hear();
    });
  await mine.requestCancel({ runId: "a", by: "me", atMs: 1 });
  expect(heard).toEqual(["a"]);

  const woken = next();
  await other.requestCancel({ runId: "b", by: "ann", atMs: 1 });
  await woken;

  expect(heard).toEqual(["a", "b"]);
});

test("S2: of claims that workers make at the same time, each run goes to one, and nobody waits for another", async () => {
  const connect = await freshSchema();
  const stores = await Promise.all([1, 2, 3, 4].map(() => openPostgresStore(connect())));
  const runs = Array.from({ length: 40 }, (_, at) => ({ runId: `run-${at}`, epoch: 1 }));
  for (const { runId } of runs) await stores[0]?.create(newRun(runId));
  const locker = connect();

  const claimed = await locker.transaction(async (query) => {
    await query("SELECT 1 FROM _smithers_runs WHERE run_id = 'run-0' FOR UPDATE");
    return await Promise.all(stores.map((store) => store.claimSome({ runs, owner: OWNER, atMs: 2, limit: 9 })));
  });

  const all = claimed.flat().map(({ runId }) => runId);
  expect(claimed.every((own) => own.length <= 9)).toBe(true);
  expect(new Set(all).size).toBe(all.length);
  expect(all).not.toContain("run-0");
  expect(all.length).toBeGreaterThanOrEqual(9);
});
