import { openSqlite } from "@smooth/platform/node/sqlite";
import { memoryBlobs } from "@smooth/platform/testing/blobs";
import { expect, test } from "vitest";
import { withBlobs } from "../blobs/with-blobs.ts";
import { NOTHING, type RunRow } from "../store/port.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import { collect, type CollectDeps } from "./collect.ts";

const HOUR_MS = 60 * 60_000;
const owner = { host: "h", boot: "b", pid: 1, pidStartedAt: "1" };

/** Three runs, each with a payload of its own, put an hour apart; `run-3` goes on. */
async function bench() {
  let nowMs = 0;
  const done: string[] = [];
  const kept = memoryBlobs(() => nowMs);
  const blobs = {
    ...kept,
    put: kept.put,
    sweep: (what: Parameters<typeof kept.sweep>[0]) => (done.push("payloads"), kept.sweep(what)),
  };
  const store = withBlobs(openSqliteStore(openSqlite(":memory:")), blobs);
  for (const number of [1, 2, 3]) {
    const runId = `run-${number}`;
    await store.create({ runId, workflow: "w", input: {}, auth: null, owner, atMs: nowMs });
    const heartbeats = [{ nodeId: "a", iteration: 0, payload: String(number).repeat(70_000) }];
    const status = { status: "finished", error: null, wakeAtMs: null, seenSeq: 1 } as const;
    await store.commit({ runId, epoch: 1, atMs: nowMs, ...NOTHING, heartbeats, status: number === 3 ? null : status });
    nowMs += HOUR_MS;
  }
  const forget = store.forget.bind(store);
  const folders = {
    of: async ({ runId }: RunRow) => [`/work/${runId}`],
    remove: async ({ runId }: RunRow) => void done.push(`folders of ${runId}`),
  };
  const watched = Object.assign(Object.create(store) as typeof store, {
    forget: async (runIds: readonly string[]) => {
      done.push(`rows of ${runIds.join()}`);
      await forget(runIds);
    },
  });
  const deps: CollectDeps = { store: watched, blobs, folders, nowMs };
  return { deps, store, kept, done, nowMs };
}

test("N6: a dry run names what would go and changes nothing; the real one does what it showed", async () => {
  const { deps, store, kept, done } = await bench();
  const policy = { maxAgeMs: 2 * HOUR_MS - 1 };

  const shown = await collect(deps, policy, true);
  expect(shown).toEqual({
    remove: [
      { runId: "run-2", because: "age" },
      { runId: "run-1", because: "age" },
    ],
    needed: [],
    folders: [
      { runId: "run-2", path: "/work/run-2" },
      { runId: "run-1", path: "/work/run-1" },
    ],
    payloads: { count: 2, bytes: 140_004 },
  });
  expect([done, kept.size, (await store.runs({})).length]).toEqual([[], 3, 3]);

  expect(await collect(deps, policy, false)).toEqual(shown);
  expect([kept.size, (await store.runs({})).map(({ runId }) => runId)]).toEqual([1, ["run-3"]]);
});

test("N4: folders go first, rows next, payloads last", async () => {
  const { deps, done } = await bench();

  await collect(deps, { keepNewest: 0 }, false);

  expect(done).toEqual(["folders of run-2", "folders of run-1", "rows of run-2,run-1", "payloads"]);
});

test("N5: a payload that was put in the last hour stays, whoever may refer to it", async () => {
  const { deps, kept, nowMs } = await bench();
  await kept.put(new TextEncoder().encode("on its way"));

  expect((await collect({ ...deps, nowMs: nowMs + HOUR_MS }, {}, false)).payloads.count).toBe(0);
  expect(kept.size).toBe(4);
  expect((await collect({ ...deps, nowMs: nowMs + HOUR_MS + 1 }, {}, false)).payloads.count).toBe(1);
  expect(kept.size).toBe(3);
});

test("N3: a quota counts payloads, and what may not go is left alone", async () => {
  const { deps, store } = await bench();
  const mayGo = ({ runId }: RunRow): boolean => runId !== "run-1";

  const { remove } = await collect({ ...deps, mayGo }, { maxBytes: 150_000 }, false);

  expect(remove).toEqual([{ runId: "run-2", because: "bytes" }]);
  expect((await store.runs({})).map(({ runId }) => runId)).toEqual(["run-3", "run-1"]);
});
