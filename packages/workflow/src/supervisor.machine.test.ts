/** Supervisors as real processes over one SQLite file. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Owner, RunStore } from "@smooth/engine/store";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import { processGroups } from "@smooth/engine/supervisor/process-groups";
import { isOwnerAlive, processOwner } from "@smooth/engine/process-owner";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { afterEach, expect, test } from "vitest";

const CHILD = join(import.meta.dirname, "testing/supervisor-child.ts");
const DEAD: Owner = { ...processOwner(), pid: 2 ** 22 - 1, pidStartedAt: "1" };
const ends: (() => void)[] = [];
afterEach(() => ends.splice(0).forEach((end) => end()));

function bench() {
  const folder = mkdtempSync(join(tmpdir(), "smooth-supervisor-"));
  const sql = openSqlite(join(folder, "runs.db"));
  const store = openSqliteStore(sql);
  ends.push(() => (sql.close(), rmSync(folder, { recursive: true })));
  const lines = (name: string): string[] =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name), "utf8").trim().split("\n") : [];
  return { folder, store, lines };
}

/** `gone` is listened for from the start: one that kills itself may be gone before it is heard that it is up. */
async function supervise(folder: string): Promise<{ readonly child: ChildProcess; readonly gone: Promise<unknown> }> {
  const child = spawn(process.execPath, [CHILD, folder], { stdio: ["ignore", "pipe", "inherit"] });
  const gone = once(child, "exit");
  ends.unshift(() => void child.kill("SIGKILL"));
  await Promise.race([once(child.stdout, "data"), gone]);
  return { child, gone };
}

/** Runs whose owner has died. */
async function leave(store: RunStore, ...workflows: readonly string[]): Promise<void> {
  for (const workflow of workflows)
    await store.create({ runId: `run-${workflow}`, workflow, input: {}, auth: null, owner: DEAD, atMs: Date.now() });
}

async function until(seen: () => Promise<boolean>): Promise<void> {
  while (!(await seen())) await sleep(20);
}
const statusOf = async (store: RunStore, runId: string) => (await store.run(runId))?.status;

test("a workflow that cannot be loaded is given up, visibly, while good ones are finished", async () => {
  const { folder, store } = bench();
  await leave(store, "broken", "good", "slow");

  await supervise(folder);

  await until(
    async () => (await statusOf(store, "run-slow")) === "finished" && (await store.run("run-broken"))?.error !== null,
  );
  expect(await statusOf(store, "run-good")).toBe("finished");
  expect(await store.run("run-broken")).toMatchObject({
    status: "running",
    error: { code: "AUTO_RESUME_GAVE_UP", message: expect.stringContaining("broken.tsx cannot be loaded") },
  });
  const types = (await store.events("run-broken", 1)).map((event) =>
    event.type === "run.resume-failed" ? event.how : event.type,
  );
  expect(types).toEqual(["died", "refused", "refused", "run.given-up"]);
});

test("a workflow that kills every supervisor is given up by the one that comes after, which then serves the others", async () => {
  const { folder, store, lines } = bench();
  await leave(store, "deadly", "good");
  let deaths = 0;
  for (; (await store.run("run-deadly"))?.error === null && deaths < 8; deaths += 1) {
    const { child, gone } = await supervise(folder);
    await Promise.race([gone, until(async () => (await store.run("run-deadly"))?.error !== null)]);
    child.kill("SIGKILL");
    await gone;
  }

  expect(await store.run("run-deadly")).toMatchObject({ error: { code: "AUTO_RESUME_GAVE_UP" } });
  expect(lines("bodies.ndjson").filter((run) => run === "run-deadly")).toHaveLength(2);
  await supervise(folder);
  await until(async () => (await statusOf(store, "run-good")) === "finished");
});

test("a supervisor that is killed is replaced by another, and a recorded step is not run again", async () => {
  const { folder, store, lines } = bench();
  await leave(store, "slow");
  const first = await supervise(folder);
  await until(async () => lines("bodies.ndjson").length === 1);
  first.child.kill("SIGKILL");

  await supervise(folder);

  await until(async () => (await statusOf(store, "run-slow")) === "finished");
  expect(lines("bodies.ndjson")).toHaveLength(2);
});

test("two supervisors at once take each run up once", async () => {
  const { folder, store, lines } = bench();
  await Promise.all([supervise(folder), supervise(folder)]);
  const runs = Array.from({ length: 20 }, (_, at) => `run-many-${at}`);
  for (const runId of runs)
    await store.create({ runId, workflow: "good", input: {}, auth: null, owner: DEAD, atMs: Date.now() });

  await until(async () => (await store.runs({ status: ["finished"] })).length === runs.length);
  await until(async () => lines("resumed.txt").length >= runs.length); // said after a run was handed over, maybe after its end

  expect(lines("bodies.ndjson").toSorted()).toEqual(runs.toSorted());
  const pids = new Set(lines("resumed.txt").map((line) => line.split(" ")[0]));
  expect(lines("resumed.txt")).toHaveLength(runs.length);
  expect(pids.size).toBeGreaterThanOrEqual(1);
});

test("a dead engine's agent, and what that agent started, are killed; a living engine's are left alone", async () => {
  const { folder } = bench();
  const groups = join(folder, "groups");
  const agent = (): ChildProcess => {
    const child = spawn("sh", ["-c", "sleep 300 & echo up; wait"], {
      detached: true,
      stdio: ["ignore", "pipe", "ignore"],
    });
    ends.unshift(() => {
      try {
        process.kill(-(child.pid ?? 0), "SIGKILL");
      } catch {
        // gone, as it should be
      }
    });
    return child;
  };
  const [orphan, mine] = [agent(), agent()];
  await Promise.all([orphan, mine].map((child) => new Promise((resolve) => child.stdout?.once("data", resolve))));
  processGroups(groups, DEAD).started(orphan.pid ?? 0, "/repo/tree");
  const ended = processGroups(groups, processOwner()).started(mine.pid ?? 0, "/repo/other");
  expect(isOwnerAlive(DEAD)).toBe(false);

  const reaped = processGroups(groups, processOwner()).reap();

  expect(reaped.map(({ pgid, folder: where }) => [pgid, where])).toEqual([[orphan.pid, "/repo/tree"]]);
  await until(async () => groupIsGone(orphan.pid ?? 0));
  expect(groupIsGone(mine.pid ?? 0)).toBe(false);
  ended();
  expect(processGroups(groups, processOwner()).reap()).toEqual([]);
});

function groupIsGone(pgid: number): boolean {
  try {
    process.kill(-pgid, 0);
    return false;
  } catch {
    return true;
  }
}
