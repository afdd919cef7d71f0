/** Our engine as a child of the bench: node ours.ts <workload> <steps>; `half <folder>`, `resume <folder>` and `growth` for rows of their own.
 *  FULL sync, schemas, events and attempts are on: this is the product, not a tuned build of it. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { isOwnerAlive, processOwner } from "@smooth/engine/process-owner";
import { resumeRun, startRun, type RunHandle } from "@smooth/engine/run";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { systemClock, systemIds, systemRandom } from "@smooth/platform/node/system";
import { createSmithers } from "@smooth/workflow/create-smithers";
import { h } from "@smooth/workflow/jsx-runtime";
import { z } from "zod";
import { folderBytes, measure } from "./measure.ts";

const { Workflow, Task, Parallel, Loop, smithers, outputs } = createSmithers({
  step: z.object({ n: z.number(), text: z.string() }),
});

const tasks = (count: number, onStep = (_n: number): void => {}) =>
  Array.from({ length: count }, (_, n) =>
    h(Task, {
      key: n,
      id: `step-${n}`,
      output: outputs.step,
      children: () => {
        onStep(n);
        return { n, text: "recorded" };
      },
    }),
  );
const chain = (steps: number, onStep?: (n: number) => void): WorkflowDefinition =>
  smithers(() => h(Workflow, { name: "chain" }, ...tasks(steps, onStep)));
const WORKFLOWS: Readonly<Record<string, (steps: number) => WorkflowDefinition>> = {
  chain,
  runs: () => chain(5),
  "fan-out": (steps) =>
    smithers(() => h(Workflow, { name: "fan-out" }, h(Parallel, { maxConcurrency: 16 }, ...tasks(steps)))),
  loop: (steps) =>
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
    ),
};

const nothing = (): void => {};
const log = { debug: nothing, info: nothing, warn: nothing, error: console.error };

function open(folder: string) {
  const sql = openSqlite(join(folder, "bench.db"));
  const world = { clock: systemClock, ids: systemIds, random: systemRandom, log };
  return { sql, deps: { ...world, store: openSqliteStore(sql), owner: processOwner(), maxConcurrency: 16 } };
}

async function finished(handles: readonly RunHandle[]): Promise<void> {
  const results = await Promise.all(handles.map(({ result }) => result));
  const bad = results.find(({ status }) => status !== "finished");
  if (bad) throw new Error(JSON.stringify(bad));
}

async function runWorkload(name: string, steps: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "bench-ours-"));
  const { sql, deps } = open(folder);
  const workflow = WORKFLOWS[name]?.(steps);
  if (!workflow) throw new TypeError(`no workload ${name}; there are ${Object.keys(WORKFLOWS).join(", ")}`);
  const runs = name === "runs" ? 200 : 1;
  const bytes = (): number => {
    sql.run("PRAGMA wal_checkpoint(TRUNCATE)");
    return folderBytes(folder);
  };
  const all = async () =>
    finished(await Promise.all(Array.from({ length: runs }, () => startRun({ ...deps, workflow, input: {} }))));
  await measure(all, { bytes, total: name === "runs" ? runs * 5 : steps });
  sql.close();
  rmSync(folder, { recursive: true });
}

const STEPS_TO_RESUME = 1_000;

/** `half`: kills itself with SIGKILL in the 501st body. `resume`: finishes the run; bodies say in a file that they ran. */
async function killAndResume(mode: "half" | "resume", folder: string): Promise<void> {
  const { deps } = open(folder);
  const bodies = join(folder, "bodies");
  let first = true;
  const workflow = chain(STEPS_TO_RESUME, (n) => {
    if (mode === "half" && n === STEPS_TO_RESUME / 2) process.kill(process.pid, "SIGKILL");
    if (mode === "resume" && first) console.log("first new step");
    first = false;
    appendFileSync(bodies, `${n}\n`);
  });
  const runId = "run-kill";
  if (mode === "half") return finished([await startRun({ ...deps, workflow, runId, input: {} })]);
  await finished([await resumeRun({ ...deps, workflow, runId, isAlive: isOwnerAlive })]);
  const ran = readFileSync(bodies, "utf8").trim().split("\n");
  console.log(JSON.stringify({ ran: ran.length, distinct: new Set(ran).size }));
}

/** CPU per step of a long chain over that of short ones, in one warm process: does a step grow dearer with the run? */
async function growth(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "bench-ours-"));
  const { sql, deps } = open(folder);
  const cpuPerStep = async (steps: number, runs: number): Promise<number> => {
    const before = process.cpuUsage();
    for (let run = 0; run < runs; run += 1)
      await finished([await startRun({ ...deps, workflow: chain(steps), input: {} })]);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / (steps * runs);
  };
  await cpuPerStep(100, 20); // the JIT
  const short = await cpuPerStep(100, 50);
  const long = await cpuPerStep(10_000, 1);
  console.log(JSON.stringify({ ratio: long / short, short, long }));
  sql.close();
  rmSync(folder, { recursive: true });
}

const [what = "chain", argument = "1000"] = process.argv.slice(2);
if (what === "half" || what === "resume") await killAndResume(what, argument);
else if (what === "growth") await growth();
else await runWorkload(what, Number(argument));
process.exit(0);
