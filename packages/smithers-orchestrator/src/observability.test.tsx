/** @jsxImportSource smithers-orchestrator */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { createSmithers, runWorkflow } from "./index.ts";
import { createSmithersMetrics, renderPrometheusMetrics, trackSmithersEvent } from "./observability.ts";

const { Workflow, Task, smithers, outputs } = createSmithers({ output: z.object({ text: z.string() }) });
const usage = { inputTokens: 7, outputTokens: 5, model: "big" };
const agent = (id: string, fails: boolean) => ({
  id,
  generate: async () => {
    if (fails) throw new Error("no");
    return { text: '{"text":"ok"}', usage };
  },
});
const workflow = smithers(() => (
  <Workflow name="measured">
    <Task id="good" output={outputs.output} agent={agent('quo"te', false)}>
      Say.
    </Task>
    <Task
      id="bad"
      output={outputs.output}
      agent={agent("bad", true)}
      retries={1}
      retryPolicy={{ initialDelayMs: 1 }}
      continueOnFail
    >
      Say.
    </Task>
  </Workflow>
));

test("a run's events are counted under their documented names, in Prometheus' format", async () => {
  const rootDir = mkdtempSync(join(tmpdir(), "metrics-"));
  const own = createSmithersMetrics();

  await runWorkflow(workflow, { input: {}, rootDir, onProgress: own.emit });

  const lines = (await own.exposition()).split("\n");
  const values = lines.filter((line) => line !== "" && !line.startsWith("#") && !line.endsWith(" 0"));
  expect(values).toEqual([
    "smithers_runs_total 1",
    "smithers_runs_finished 1",
    "smithers_nodes_started 3",
    "smithers_nodes_finished 1",
    "smithers_nodes_failed 2",
    'smithers_tokens_total{model="big",agent="quo\\"te",kind="input"} 7',
    'smithers_tokens_total{model="big",agent="quo\\"te",kind="output"} 5',
  ]);
  const helped = lines.flatMap((line, at) => (line.startsWith("# HELP") ? [[line.split(" ")[2], lines[at + 1]]] : []));
  expect(helped.length).toBeGreaterThan(10);
  for (const [name, type] of helped) expect(type).toBe(`# TYPE ${name} counter`);
  rmSync(rootDir, { recursive: true });
});

test("trackSmithersEvent counts for the whole process, and for nobody else", async () => {
  const other = createSmithersMetrics();

  trackSmithersEvent({ type: "RunStarted", runId: "r", timestampMs: 1 });
  trackSmithersEvent({ type: "RunStatusChanged", status: "running", runId: "r", timestampMs: 1 });

  expect(await renderPrometheusMetrics()).toContain("\nsmithers_runs_total 1\n");
  expect(await other.exposition()).toContain("\nsmithers_runs_total 0\n");
});
