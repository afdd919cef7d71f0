/** A real file system without room, and a real lock that another process holds. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Writable } from "node:stream";
import process from "node:process";
import { startRun, type RunHandle } from "@smooth/engine/run";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import { diskAt } from "@smooth/platform/node/disk";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { systemClock, systemIds, systemRandom } from "@smooth/platform/node/system";
import { memoryLog } from "@smooth/platform/testing";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { createSmithers } from "../create-smithers.ts";
import { h } from "../jsx-runtime.ts";
import { z } from "zod";
import { OWNER } from "../testing/run-in-memory.ts";

const { Workflow, Task, smithers, outputs } = createSmithers({ page: z.object({ text: z.string() }) });
const KB = 1_024;
const home = mkdtempSync(join(tmpdir(), "smooth-no-writes-"));
afterAll(() => rmSync(home, { recursive: true }));

/** Steps of 16 KB each; says which bodies ran. */
function pages(count: number, onBody: (at: number) => void | Promise<void> = () => {}) {
  const ran: number[] = [];
  const body = (at: number) => async () => {
    ran.push(at);
    await onBody(at);
    return { text: `${at} `.padEnd(16 * KB, "x") };
  };
  const ids = Array.from({ length: count }, (_, at) => at);
  const workflow = smithers(() =>
    h(
      Workflow,
      { name: "pages" },
      ...ids.map((at) => h(Task, { key: at, id: `page-${at}`, output: outputs.page, children: body(at) })),
    ),
  );
  return { workflow, ran, ids };
}

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await systemClock.sleep(20);
};

function openRun(folder: string) {
  const sql = openSqlite(join(folder, "runs.db"), { busyTimeoutMs: 200 });
  onTestFinished(() => sql.close());
  const store = openSqliteStore(sql);
  const world = { clock: systemClock, ids: systemIds, random: systemRandom, log: memoryLog(), owner: OWNER };
  return { store, deps: { ...world, store, runId: "run-1", input: {} } };
}

/** Root may mount a file system of one's own size; others skip, and say so. */
function smallDisk(): string | null {
  const folder = mkdtempSync(join(home, "disk-"));
  const { status, stderr, error } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1500k", "tmpfs", folder]);
  if (status === 0) {
    afterAll(() => spawnSync("umount", ["-l", folder]));
    return folder;
  }
  process.stderr.write(`disk-full tests skipped: no tmpfs can be mounted here (${error?.message ?? String(stderr)})\n`);
  return null;
}

describe("a full disk", () => {
  const [first, second] = [smallDisk(), smallDisk()];

  test.skipIf(first === null)(
    "parks the run where a write fails, and it goes on when there is room: nothing lost, nothing repeated",
    async () => {
      const folder = first ?? "";
      const { store, deps } = openRun(folder);
      const ballast = join(folder, "ballast");
      writeFileSync(ballast, Buffer.alloc(900 * KB));
      const { workflow, ran, ids } = pages(25);

      const handle = await startRun({ ...deps, workflow });
      await until(() => handle.waitsForStore() === "disk");
      const recorded = await store.events("run-1", 0);
      expect(recorded.filter(({ type }) => type === "node.finished").length).toBeLessThan(ids.length);
      expect(await store.run("run-1")).toMatchObject({ status: "running", owner: OWNER });
      expect(deps.log.lines).toContainEqual(expect.objectContaining({ event: "run.waits-for-store" }));

      rmSync(ballast);

      expect((await handle.result).status).toBe("finished");
      expect(ran).toEqual(ids);
      const finished = (await store.events("run-1", 0)).filter(({ type }) => type === "node.finished");
      expect(finished).toHaveLength(ids.length);
    },
  );

  test.skipIf(second === null)(
    "under the low-water mark nothing new starts, and the log says that the run waits for the disk",
    async () => {
      const folder = second ?? "";
      const { store, deps } = openRun(folder);
      const ballast = join(folder, "ballast");
      const { workflow, ran, ids } = pages(6, async (at) => {
        if (at === 1) writeFileSync(ballast, Buffer.alloc(900 * KB));
        if (at === 1) await until(() => handle?.waitsForStore() === "disk");
      });
      let handle: RunHandle | undefined;
      handle = await startRun({ ...deps, workflow, disk: diskAt(folder), lowDiskBytes: 500 * KB });
      await until(() => handle?.waitsForStore() === "disk");
      await until(() => ran.length === 2);
      const parked = (await store.events("run-1", 0)).find(({ type }) => type === "run.parked");
      expect(parked).toMatchObject({ on: "disk" });
      expect(ran).toEqual([0, 1]);

      rmSync(ballast);

      expect((await handle.result).status).toBe("finished");
      expect(ran).toEqual(ids);
    },
  );
});

test("a write lock that another process holds is waited for: the run goes on after it, and no body runs twice", async () => {
  const folder = mkdtempSync(join(home, "lock-"));
  const { deps } = openRun(folder);
  const heldMs = process.env["SMOOTH_FAULTS"] === "all" ? 10_000 : 1_500;
  const child = join(import.meta.dirname, "../testing/lock-child.ts");
  const held = Promise.withResolvers<Writable>();
  const { workflow, ran, ids } = pages(3, async (at) => {
    if (at !== 1) return;
    const holder = spawn(process.execPath, [child, join(folder, "runs.db")], { stdio: ["pipe", "pipe", "inherit"] });
    await once(holder.stdout, "data");
    held.resolve(holder.stdin);
  });

  const handle = await startRun({ ...deps, workflow });
  const holds = await held.promise;
  await until(() => handle.waitsForStore() === "lock");
  await systemClock.sleep(heldMs);
  expect(handle.waitsForStore()).toBe("lock");
  expect(ran).toEqual([0, 1]);

  holds.end();

  expect((await handle.result).status).toBe("finished");
  expect(ran).toEqual(ids);
});
