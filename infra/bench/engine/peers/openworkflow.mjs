/** openworkflow on its SQLite backend: WAL, FULL sync by SQLite's default, one worker. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OpenWorkflow } from "openworkflow";
import { BackendSqlite } from "openworkflow/sqlite";
import { folderBytes, measure, steps, workload } from "./measure.ts";

const folder = mkdtempSync(join(tmpdir(), "bench-openworkflow-"));
const backend = BackendSqlite.connect(join(folder, "bench.db"));
const client = new OpenWorkflow({ backend });
const body = (n) => async () => ({ n, text: "recorded" });
const inOrder = async (step, count) => {
  for (let n = 0; n < count; n += 1) await step.run({ name: `step-${n}` }, body(n));
};
// Its result is polled once a second; the clock stops when the last run's function returns, which is kinder.
let left = workload === "runs" ? 200 : 1;
let allReturned;
const returned = new Promise((resolve) => (allReturned = resolve));
const chain = client.defineWorkflow({ name: "chain" }, async ({ input, step }) => {
  await inOrder(step, input.count);
  left -= 1;
  if (left === 0) allReturned();
});
const worker = client.newWorker({ concurrency: workload === "runs" ? 16 : 1 });
await worker.start();
const runs = workload === "runs" ? 200 : 1;
const count = workload === "runs" ? 5 : steps;
await measure(
  async () => {
    await Promise.all(Array.from({ length: runs }, () => chain.run({ count })));
    await returned;
  },
  { bytes: () => folderBytes(folder), total: runs * count },
);
await worker.stop();
await backend.stop();
rmSync(folder, { recursive: true });
