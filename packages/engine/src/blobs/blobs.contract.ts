/** What a store with a blob store must do, whatever lies beneath. */
import { memoryBlobs } from "@smooth/platform/testing/blobs";
import { expect, test } from "vitest";
import { z } from "zod";
import { decodeRow, encodeRow, outputTable } from "../outputs/table.ts";
import { NOTHING, type Batch, type Owner, type RunStore } from "../store/port.ts";
import { withBlobs } from "./with-blobs.ts";

const OWNER: Owner = { host: "h", boot: "b", pid: 1, pidStartedAt: "1" };
const TABLE = outputTable("large", z.object({ text: z.string(), list: z.array(z.string()), n: z.number() }));
const LARGE = "\ufeffé✓".repeat(30_000);
const ROW = { text: LARGE, list: [LARGE, "small"], n: 1 };
const batch = (change: Partial<Batch>): Batch => ({
  runId: "run-1",
  epoch: 1,
  atMs: 10,
  ...NOTHING,
  ...change,
});
const output = (row: typeof ROW) => ({ table: TABLE, nodeId: "a", iteration: 0, cells: encodeRow(TABLE, row) });

export function withBlobsContract(open: () => RunStore | Promise<RunStore>): void {
  async function opened() {
    const inner = await open();
    const blobs = memoryBlobs();
    const store = withBlobs(inner, blobs);
    await store.defineOutputs([TABLE]);
    await store.create({ runId: "run-1", workflow: "w", input: {}, auth: null, owner: OWNER, atMs: 1 });
    return { inner, blobs, store };
  }

  test("a large cell lies in the blob store, its row holds 32 bytes, and it comes back exactly", async () => {
    const { inner, blobs, store } = await opened();

    await store.commit(batch({ outputs: [output(ROW)] }));

    const [kept] = await inner.outputs("run-1", TABLE);
    expect(kept?.cells.map((cell) => (cell instanceof Uint8Array ? cell.length : cell))).toEqual([32, 32, 1, null]);
    expect(blobs.size).toBe(2);
    const [back] = await store.outputs("run-1", TABLE);
    expect(back && decodeRow(TABLE, back.cells)).toStrictEqual(ROW);
  });

  test("small rows need no blob, and the same payload in many runs is kept once", async () => {
    const { blobs, store } = await opened();
    await store.commit(batch({ outputs: [output({ text: "s", list: [], n: 1 })] }));
    expect(blobs.size).toBe(0);

    for (const runId of ["run-2", "run-3"]) {
      await store.create({ runId, workflow: "w", input: {}, auth: null, owner: OWNER, atMs: 1 });
      await store.commit(batch({ runId, outputs: [output(ROW)] }));
    }
    expect(blobs.size).toBe(2);
  });

  test("B2: a large heartbeat, and one that looks like a reference, come back as they were", async () => {
    const { inner, store } = await opened();
    const payloads = [{ text: LARGE }, { $blob: "0".repeat(64) }, { $blob: 1 }, [1]];
    const heartbeats = payloads.map((payload, iteration) => ({ nodeId: "a", iteration, payload }));

    await store.commit(batch({ heartbeats }));

    const sorted = async (from: RunStore) =>
      (await from.heartbeats("run-1")).toSorted((a, b) => a.iteration - b.iteration);
    expect(await sorted(store)).toEqual(heartbeats);
    expect(JSON.stringify((await sorted(inner))[0]).length).toBeLessThan(200);
  });

  test("a fork takes large rows along", async () => {
    const { store } = await opened();
    await store.commit(batch({ outputs: [output(ROW)] }));
    const { metadata } = (await store.run("run-1")) ?? { metadata: { source: null, vcsRoot: null } };
    const outputs = await store.outputs("run-1", TABLE);
    const from = { runId: "run-1", atSeq: 1, label: null };
    const nothing = { copied: await store.events("run-1", 0), events: [], frames: [] };
    await store.fork({
      ...nothing,
      runId: "fork",
      workflow: "w",
      input: {},
      auth: null,
      metadata,
      from,
      atMs: 2,
      outputs,
    });

    const [back] = await store.outputs("fork", TABLE);
    expect(back && decodeRow(TABLE, back.cells)).toStrictEqual(ROW);
  });

  test("B1: every reference is told, so that a sweep takes only what no row needs", async () => {
    const { blobs, store } = await opened();
    await store.commit(batch({ outputs: [output(ROW)], heartbeats: [{ nodeId: "a", iteration: 0, payload: LARGE }] }));
    await store.commit(batch({ epoch: 7, outputs: [output({ ...ROW, text: `${LARGE}!` })] })); // refused as stale
    expect(blobs.size).toBe(4);

    const keep = await store.blobRefs();

    expect(keep.size).toBe(3);
    const [size] = await store.sizes();
    expect(new Set(size?.blobs)).toEqual(keep);
    expect(await blobs.sweep({ keep, putBeforeMs: 1 })).toBe(1);
    const [back] = await store.outputs("run-1", TABLE);
    expect(back && decodeRow(TABLE, back.cells)).toStrictEqual(ROW);
    expect((await store.heartbeats("run-1"))[0]?.payload).toBe(LARGE);
  });
}
