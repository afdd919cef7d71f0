/** A supervising process over one store: node supervisor-child.ts <folder>. It says "up" and goes on until it is killed.
 *  Its runs are made by the test, with an owner that is dead. */
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { isOwnerAlive, processOwner } from "@smooth/engine/process-owner";
import { resumeRun } from "@smooth/engine/run";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import { Supervisor } from "@smooth/engine/supervisor";
import { processGroups } from "@smooth/engine/supervisor/process-groups";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { systemClock, systemRandom } from "@smooth/platform/node/system";
import { memoryLog } from "@smooth/platform/testing";
import { supervisedWorkflows } from "./supervised-workflows.ts";

const [folder = ""] = process.argv.slice(2);
const store = openSqliteStore(openSqlite(join(folder, "runs.db")));
const owner = processOwner();
const workflows = supervisedWorkflows(join(folder, "bodies.ndjson"));
const groups = processGroups(join(folder, "groups"), owner);

const supervisor = new Supervisor({
  store,
  clock: systemClock,
  log: memoryLog(),
  isAlive: isOwnerAlive,
  host: owner.host,
  intervalMs: 50,
  giveUp: { maxFailures: 3, firstWaitMs: 10, maxWaitMs: 20 },
  reapOrphans: async () => groups.reap(),
  resume: async (run) => {
    const workflow = workflows[run.workflow];
    if (!workflow) throw new Error(`${run.workflow}.tsx cannot be loaded`);
    const deps = { store, clock: systemClock, random: systemRandom, log: memoryLog(), owner };
    const handle = await resumeRun({ ...deps, workflow, runId: run.runId, isAlive: isOwnerAlive });
    appendFileSync(join(folder, "resumed.txt"), `${process.pid} ${run.runId}\n`);
    void handle.result.catch(() => undefined);
  },
});
supervisor.start();
process.stdout.write("up\n");
