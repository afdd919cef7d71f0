/** Power loss as SQLite sees it: a write-ahead log that ends anywhere. A real log of a killed process is cut, and the run resumed.
 *  `SMOOTH_FAULTS=all` cuts at every 512 bytes; otherwise at some of them. */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { decideApproval } from "@smooth/engine/control";
import { isOwnerAlive, processOwner } from "@smooth/engine/process-owner";
import { resumeRun, startRun } from "@smooth/engine/run";
import type { RunStore } from "@smooth/engine/store";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { systemClock, systemIds, systemRandom } from "@smooth/platform/node/system";
import { memoryLog } from "@smooth/platform/testing";
import { afterAll, describe, expect, test } from "vitest";
import { crashWorkflows } from "../testing/crash-workflows.ts";

const CHILD = join(import.meta.dirname, "../testing/crash-child.ts");
const RUN = "run-crash";
const CUT_BYTES = 512;
const SAMPLES = 24;

const home = mkdtempSync(join(tmpdir(), "smooth-wal-"));
afterAll(() => rmSync(home, { recursive: true }));

/** A folder as a process leaves it that is killed after its last commit: the log holds everything. */
function killedAtTheEnd(workflow: string): string {
  const folder = mkdtempSync(join(home, "killed-"));
  const { signal } = spawnSync(process.execPath, [CHILD, folder, workflow, "end"]);
  if (signal !== "SIGKILL") throw new Error("the process was not killed");
  return folder;
}

function cutCopy(source: string, bytes: number): string {
  const folder = mkdtempSync(join(home, "cut-"));
  copyFileSync(join(source, "runs.db"), join(folder, "runs.db"));
  copyFileSync(join(source, "runs.db-wal"), join(folder, "runs.db-wal"));
  truncateSync(join(folder, "runs.db-wal"), bytes);
  return folder;
}

interface World {
  readonly store: RunStore;
  readonly workflow: WorkflowDefinition;
}

async function rows({ store, workflow }: World): Promise<Map<string, unknown>> {
  if (!(await store.run(RUN))) return new Map();
  await store.defineOutputs(workflow.registry.tables);
  const outputs = await Promise.all(workflow.registry.tables.map((table) => store.outputs(RUN, table)));
  // Who decided, and when, differs from run to run.
  const own = outputs.flat().filter(({ nodeId }) => nodeId !== "merge");
  return new Map(own.map(({ nodeId, iteration, cells }) => [`${RUN} ${nodeId}::${iteration}`, cells]));
}

async function finish({ store, workflow }: World): Promise<void> {
  const deps = { store, workflow, clock: systemClock, random: systemRandom, log: memoryLog(), owner: processOwner() };
  for (;;) {
    const row = await store.run(RUN);
    if (row?.status === "finished") return;
    const handle = row
      ? await resumeRun({ ...deps, runId: RUN, isAlive: isOwnerAlive })
      : await startRun({ ...deps, ids: systemIds, runId: RUN, input: {} });
    if ((await handle.result).status !== "waiting-approval") continue;
    for (const { runId, nodeId, iteration } of await store.approvals({ only: "open" }))
      await decideApproval(store, {
        runId,
        nodeId,
        iteration,
        decision: { verdict: "approve" },
        by: "ann",
        atMs: 1,
      });
  }
}

function bodiesOf(folder: string): string[] {
  const file = join(folder, "bodies.ndjson");
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").trim().split("\n");
  return lines.map((line) => (JSON.parse(line) as { key: string }).key);
}

async function inFolder<T>(folder: string, workflow: string, body: (world: World) => Promise<T>): Promise<T> {
  const definition = crashWorkflows(join(folder, "bodies.ndjson"))[workflow];
  if (!definition) throw new Error(`no workflow ${workflow}`);
  const sql = openSqlite(join(folder, "runs.db"), { synchronous: "NORMAL" }); // what is tested is what a cut log holds
  try {
    return await body({ store: openSqliteStore(sql), workflow: definition });
  } finally {
    sql.close();
  }
}

describe.each(["chain", "fan", "operator"])("%s", (workflow) => {
  const source = killedAtTheEnd(workflow);
  const cuts = Math.ceil(statSync(join(source, "runs.db-wal")).size / CUT_BYTES) + 1;
  const every = process.env["SMOOTH_FAULTS"] === "all" ? 1 : Math.ceil(cuts / SAMPLES);

  test(`S1, S5: cut at any ${CUT_BYTES} bytes the log holds whole commits, and the run ends the same, no recorded step repeated`, async () => {
    const whole = await inFolder(cutCopy(source, (cuts - 1) * CUT_BYTES), workflow, async (world) => {
      await finish(world);
      return await rows(world);
    });
    expect(whole.size).toBeGreaterThan(5);
    const recordedBefore = new Set<number>();

    for (let cut = 0; cut < cuts; cut += every) {
      const folder = cutCopy(source, cut * CUT_BYTES);
      await inFolder(folder, workflow, async (world) => {
        const recorded = await rows(world);
        recordedBefore.add(recorded.size);

        await finish(world);

        expect([cut, await rows(world)]).toEqual([cut, whole]);
        expect([cut, bodiesOf(folder).filter((key) => recorded.has(key))]).toEqual([cut, []]);
      });
      rmSync(folder, { recursive: true });
    }
    expect(recordedBefore.size).toBeGreaterThan(3); // the cuts fell between different commits
  });
});
