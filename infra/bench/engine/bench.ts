/** Milliseconds per step of the durable engine, with FULL sync, schemas, events and attempts on. Run: node infra/bench/engine/bench.ts [steps] */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startRun } from "@smooth/engine/run";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import { processOwner } from "@smooth/engine/process-owner";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { systemClock, systemIds, systemRandom } from "@smooth/platform/node/system";
import { createSmithers } from "@smooth/workflow/create-smithers";
import { h } from "@smooth/workflow/jsx-runtime";
import { z } from "zod";

const { Workflow, Task, Parallel, Loop, smithers, outputs } = createSmithers({
  step: z.object({ n: z.number(), text: z.string() }),
});
const tasks = (count: number) =>
  Array.from({ length: count }, (_, n) =>
    h(Task, { key: n, id: `step-${n}`, output: outputs.step, children: () => ({ n, text: "recorded" }) }),
  );
const chain = (steps: number): WorkflowDefinition => smithers(() => h(Workflow, { name: "chain" }, ...tasks(steps)));
const fanOut = (steps: number): WorkflowDefinition =>
  smithers(() => h(Workflow, { name: "fan-out" }, h(Parallel, { maxConcurrency: 16 }, ...tasks(steps))));
const loop = (steps: number): WorkflowDefinition =>
  smithers((ctx) =>
    h(
      Workflow,
      { name: "loop" },
      h(
        Loop,
        { id: "l", maxIterations: steps, until: false },
        h(Task, { id: "tick", output: outputs.step, children: () => ({ n: ctx.iteration, text: "recorded" }) }),
      ),
    ),
  );

const log = { debug() {}, info() {}, warn: console.warn, error: console.error };

async function measure(
  name: string,
  workflow: WorkflowDefinition,
  { steps, runs = 1, maxConcurrency = 4 }: { steps: number; runs?: number; maxConcurrency?: number },
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "engine-bench-"));
  const sql = openSqlite(join(dir, "bench.db"));
  let commits = 0;
  const counted = {
    ...sql,
    transaction: <T>(body: () => T): T => ((commits += 1), sql.transaction(body as never) as T),
  };
  const store = openSqliteStore(counted as typeof sql);
  const deps = {
    store,
    clock: systemClock,
    ids: systemIds,
    random: systemRandom,
    log,
    owner: processOwner(),
    maxConcurrency,
  };
  const cpuBefore = process.cpuUsage();
  const before = performance.now();
  const handles = await Promise.all(Array.from({ length: runs }, () => startRun({ ...deps, workflow, input: {} })));
  const results = await Promise.all(handles.map((handle) => handle.result));
  const tookMs = performance.now() - before;
  const cpu = process.cpuUsage(cpuBefore);
  const bad = results.find((result) => result.status !== "finished");
  if (bad) throw new Error(`${name}: ${JSON.stringify(bad)}`);
  const total = steps * runs;
  sql.run("PRAGMA wal_checkpoint(TRUNCATE)");
  const bytes = statSync(join(dir, "bench.db")).size / total;
  sql.close();
  rmSync(dir, { recursive: true });
  const row = {
    "ms/step": tookMs / total,
    "cpu ms/step": (cpu.user + cpu.system) / 1000 / total,
    "commits/step": commits / total,
    "bytes/step": Math.round(bytes),
    "rss MB": Math.round(process.memoryUsage().rss / 2 ** 20),
  };
  console.log(
    name.padEnd(24),
    Object.entries(row)
      .map(([key, value]) => `${key} ${Number.isInteger(value) ? value : value.toFixed(4)}`)
      .join("   "),
  );
}

const steps = Number(process.argv[2] ?? 1_000);
await measure("warm-up", chain(50), { steps: 50 });
await measure(`chain ${steps / 10}`, chain(steps / 10), { steps: steps / 10 });
await measure(`chain ${steps}`, chain(steps), { steps });
await measure(`fan-out ${steps}, 16 wide`, fanOut(steps), { steps, maxConcurrency: 16 });
await measure("loop 500", loop(500), { steps: 500 });
await measure("200 runs × 5 steps", chain(5), { steps: 5, runs: 200 });
await measure(`chain ${steps * 10}`, chain(steps * 10), { steps: steps * 10 });
