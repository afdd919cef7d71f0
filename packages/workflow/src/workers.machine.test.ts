/** Several real worker processes share the runs of one Postgres database. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { openPostgresStore } from "@smooth/engine/store/postgres";
import { NOTHING, type RunStore } from "@smooth/engine/store";
import { openPostgres } from "@smooth/platform/node/postgres";
import { systemClock } from "@smooth/platform/node/system";
import type { Postgres } from "@smooth/platform/ports";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { startPostgres, type Postgres as Server } from "../../../scripts/postgres.ts";

const home = mkdtempSync(join(tmpdir(), "smooth-workers-"));
let server: Server;
beforeAll(async () => {
  server = await startPostgres(join(home, "data"));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(home, { recursive: true });
});

let url = "";
let bodyLog = "";
let pg: Postgres;
let store: RunStore;
let count = 0;
beforeEach(async () => {
  const schema = `workers_${(count += 1)}`;
  const admin = openPostgres(server.url);
  await admin.exec(`CREATE SCHEMA ${schema}`);
  await admin.close();
  const own = new URL(server.url);
  own.searchParams.set("options", `-c search_path=${schema}`);
  url = own.href;
  bodyLog = join(home, `${schema}.ndjson`);
  pg = openPostgres(url);
  store = await openPostgresStore(pg);
});
afterEach(() => pg.close());

/** Runs that nobody owns yet. */
async function queue(count: number): Promise<string[]> {
  const runIds = Array.from({ length: count }, (_, at) => `run-${at}`);
  const owner = { host: "none", boot: "none", pid: 1, pidStartedAt: "1" };
  for (const [at, runId] of runIds.entries()) {
    await store.create({ runId, workflow: at % 2 ? "chain" : "fan", input: {}, auth: null, owner, atMs: 1 });
    const status = { status: "running", error: null, wakeAtMs: null, seenSeq: 1 } as const;
    await store.commit({ runId, epoch: 1, atMs: 1, ...NOTHING, status });
  }
  return runIds;
}

const CHILD = join(import.meta.dirname, "testing/worker-child.ts");

interface Worker {
  readonly child: ChildProcess;
  readonly claimed: string[];
  /** It has claimed its first runs, and holds them until `go`. */
  readonly ready: Promise<unknown>;
  go(): void;
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

function startWorker(): Worker {
  const child = spawn(process.execPath, [CHILD, url, bodyLog], { stdio: ["pipe", "pipe", "pipe"] });
  const claimed: string[] = [];
  child.stdout.setEncoding("utf8").on("data", (text: string) => claimed.push(...text.trim().split("\n")));
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const ended = once(child, "close").then(([code, signal]: (number | NodeJS.Signals | null)[]) => {
    if (code !== 0 && signal === null) throw new Error(said);
    return signal ?? code ?? null;
  });
  const ready = Promise.race([once(child.stdout, "data"), ended]);
  return { child, claimed, ready, go: () => void child.stdin.write("go\n"), ended };
}

interface Body {
  readonly attempt: number;
  readonly idempotencyKey: string;
}
function bodies(): Body[] {
  if (!existsSync(bodyLog)) return []; // no body has run yet
  const lines = readFileSync(bodyLog, "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Body);
}
const STEPS = { chain: 6, fan: 13 };

/** The idempotency keys of the steps that are recorded, once per recording. */
async function recordings(runIds: readonly string[]): Promise<string[]> {
  const logs = await Promise.all(runIds.map((runId) => store.events(runId, 0)));
  return logs
    .flat()
    .flatMap((event) => (event.type === "node.finished" ? [`${event.runId}:${event.nodeId}::${event.iteration}`] : []));
}

test("four workers end every run once, and run no step twice", async () => {
  const runIds = await queue(40);
  const workers = [1, 2, 3, 4].map(startWorker);
  await Promise.all(workers.map(({ ready }) => ready));
  for (const worker of workers) worker.go();

  expect(await Promise.all(workers.map(({ ended }) => ended))).toEqual([0, 0, 0, 0]);

  expect(await store.runs({ status: ["finished"] })).toHaveLength(runIds.length);
  expect(workers.flatMap(({ claimed }) => claimed).toSorted()).toEqual(runIds.toSorted());
  expect(workers.filter(({ claimed }) => claimed.length > 0)).toHaveLength(4);
  expect(bodies()).toHaveLength(20 * (STEPS.chain + STEPS.fan));
  expect(new Set(bodies().map(({ idempotencyKey }) => idempotencyKey)).size).toBe(bodies().length);
  const logs = await Promise.all(runIds.map((runId) => store.events(runId, 0)));
  for (const log of logs) expect(log.filter(({ type }) => type === "run.status")).toHaveLength(1);
});

test("the runs of a worker that is killed are ended by the others, and no recorded step runs again", async () => {
  const runIds = await queue(30);
  const victim = startWorker();
  const others = [startWorker(), startWorker()];
  await Promise.all([victim, ...others].map(({ ready }) => ready));
  victim.go(); // it cannot be done before it is killed: the others hold runs
  while (bodies().length === 0) await systemClock.sleep(5);

  const before = await recordings(runIds);
  const bodiesBefore = bodies().length;
  victim.child.kill("SIGKILL");
  for (const other of others) other.go();

  expect(await Promise.all([victim, ...others].map(({ ended }) => ended))).toEqual(["SIGKILL", 0, 0]);
  const recorded = await recordings(runIds);
  expect(recorded).toHaveLength(15 * (STEPS.chain + STEPS.fan));
  expect(new Set(recorded).size).toBe(recorded.length);
  const ranLater = bodies().slice(bodiesBefore);
  expect(ranLater.filter(({ idempotencyKey }) => before.includes(idempotencyKey))).toEqual([]);
  expect(new Set(bodies().map(({ idempotencyKey, attempt }) => `${idempotencyKey} ${attempt}`)).size).toBe(
    bodies().length,
  );
});
