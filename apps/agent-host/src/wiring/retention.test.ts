import { NOTHING } from "@smooth/engine/store";
import { openMemoryStore } from "@smooth/engine/store/memory";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { ManualClock, memoryLog } from "@smooth/platform/testing";
import { memoryBlobs } from "@smooth/platform/testing/blobs";
import { PearlId, RunId } from "@smooth/protocol/ids";
import { expect, test } from "vitest";
import { Retention } from "./retention.ts";
import { RunLog } from "./run-log.ts";

const DAY_MS = 24 * 3_600_000;
const OWNER = { host: "h", boot: "b", pid: 1, pidStartedAt: "1" };
const OLD = RunId.parse("run-old00001");
const PEARLS = RunId.parse("run-pearl001");

/** Two runs that ended long ago, one of a file and one of a pearl; the dashboard has heard of neither. */
async function bench() {
  const clock = new ManualClock(1_000);
  const store = openMemoryStore();
  const runLog = new RunLog(openSqlite(":memory:"), clock);
  const pruned: string[] = [];
  let freeBytes = 2 ** 40;
  for (const runId of [OLD, PEARLS]) {
    const pearlId = runId === PEARLS ? PearlId.parse("th-000001") : null;
    runLog.open({ runId, title: runId, workflow: "/flow.tsx", pearlId, demo: false });
    await store.create({ runId, workflow: "w", input: {}, auth: null, owner: OWNER, atMs: clock.now() });
    const status = { status: "finished", error: null, wakeAtMs: null, seenSeq: 1 } as const;
    await store.commit({ runId, epoch: 1, atMs: clock.now(), ...NOTHING, status });
  }
  const retention = new Retention({
    store,
    runLog,
    clock,
    payloads: memoryBlobs(() => clock.now()),
    flows: { forget: async (runId) => void pruned.push(runId), worktreesOf: async (runId) => [`/work/${runId}`] },
    disk: { freeBytes: async () => freeBytes },
    log: memoryLog(),
    policy: { maxAgeMs: DAY_MS },
  });
  const there = async () => [(await store.run(OLD)) !== null, runLog.summary(OLD) !== undefined];
  return { clock, store, runLog, retention, pruned, there, fill: () => (freeBytes = 1) };
}

test("G1, G2: a dry run changes nothing; then the run of the file goes with all it has, the pearl's stays", async () => {
  const { clock, store, runLog, retention, pruned, there } = await bench();
  await clock.advance(2 * DAY_MS);
  const dry = await retention.collect({ dryRun: true });
  expect([dry.remove, dry.folders, await there()]).toEqual([
    [{ runId: OLD, because: "age" }],
    [{ runId: OLD, path: `/work/${OLD}` }],
    [true, true],
  ]);
  const unheard = runLog.outbox(100).map(({ record }) => record);

  await retention.collect({ dryRun: false });

  expect([await there(), pruned]).toEqual([[false, false], [OLD]]);
  expect([(await store.run(PEARLS)) !== null, runLog.summary(PEARLS) !== undefined]).toEqual([true, true]);
  expect(runLog.outbox(100).map(({ record }) => record)).toEqual(unheard); // the dashboard hears of it all the same
});

test("G3: it looks once an hour; when the disk is nearly full, within minutes", async () => {
  const { clock, retention, there } = await bench();
  await clock.advance(10 * 60_000);
  await retention.tend();
  await clock.advance(DAY_MS); // due
  await retention.tend();
  expect(await there()).toEqual([false, false]);

  const full = await bench();
  await full.clock.advance(DAY_MS);
  await full.retention.tend(); // just not old enough
  await full.clock.advance(6 * 60_000);
  await full.retention.tend();
  expect(await full.there()).toEqual([true, true]);
  full.fill();
  await full.retention.tend();
  expect(await full.there()).toEqual([false, false]);
});
