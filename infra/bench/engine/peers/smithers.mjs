import { createSmithers, Loop, Parallel, runWorkflow, Task, Workflow } from "smithers-orchestrator";
import { Effect } from "effect";
import React from "react";
import { z } from "zod";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { folderBytes, measure, steps, workload } from "./measure.ts";

const folder = mkdtempSync(join(tmpdir(), "bench-smithers-"));
const h = React.createElement;
const api = createSmithers(
  { step: z.object({ n: z.number(), text: z.string() }) },
  { dbPath: join(folder, "bench.db") },
);
const { smithers, outputs } = api;
const tasks = (count) =>
  Array.from({ length: count }, (_, n) =>
    h(api.Task ?? Task, { key: n, id: `step-${n}`, output: outputs.step }, () => ({ n, text: "recorded" })),
  );
const W = api.Workflow ?? Workflow;
const count = workload === "runs" ? 5 : steps;
const workflow = smithers((ctx) => {
  if (workload === "fan-out") return h(W, { name: "w" }, h(Parallel, { maxConcurrency: 16 }, ...tasks(count)));
  if (workload === "loop")
    return h(
      W,
      { name: "w" },
      h(
        Loop,
        { id: "l", maxIterations: count, until: false },
        h(api.Task ?? Task, { id: "tick", output: outputs.step }, () => ({ n: ctx.iteration, text: "recorded" })),
      ),
    );
  return h(W, { name: "w" }, ...tasks(count));
});
const runs = workload === "runs" ? 200 : 1;
await measure(
  async () => {
    const run = () => Effect.runPromise(runWorkflow(workflow, { input: {}, rootDir: folder, maxConcurrency: 16 }));
    const results = await Promise.all(Array.from({ length: runs }, run));
    const bad = results.find((r) => r.status !== "finished");
    if (bad) throw new Error(JSON.stringify(bad));
  },
  { bytes: () => folderBytes(folder), total: runs * count },
);
rmSync(folder, { recursive: true });
process.exit(0);
