/** A process that runs one workflow to its end, unless it kills itself first: node crash-child.ts <folder> <workflow> [crashAt]
 *  Point 2k is before the k-th commit, 2k+1 after it. Prints what it recorded and how many points there were. */
import { join } from "node:path";
import process from "node:process";
import { decideApproval } from "@smooth/engine/control";
import { isOwnerAlive, processOwner } from "@smooth/engine/process-owner";
import { resumeRun, startRun, type RunHandle } from "@smooth/engine/run";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { systemClock, systemIds, systemRandom } from "@smooth/platform/node/system";
import { memoryLog } from "@smooth/platform/testing";
import type { Sql, Sync } from "@smooth/platform/ports";
import { crashWorkflows } from "./crash-workflows.ts";

const [folder = "", name = "", crashAt = "-1"] = process.argv.slice(2);
let point = 0;
const passPoint = (): void => {
  if (point === Number(crashAt)) process.kill(process.pid, "SIGKILL");
  point += 1;
};

const sql = openSqlite(join(folder, "runs.db"));
const crashing: Sql = {
  ...sql,
  transaction<T>(body: () => Sync<T>): T {
    passPoint();
    const result = sql.transaction(body);
    passPoint();
    return result;
  },
};

const workflow = crashWorkflows(join(folder, "bodies.ndjson"))[name];
if (!workflow) throw new TypeError(`no workflow ${name}`);
const store = openSqliteStore(crashing);
const deps = {
  store,
  workflow,
  clock: systemClock,
  ids: systemIds,
  random: systemRandom,
  log: memoryLog(),
  owner: processOwner(),
};
const resume = (): Promise<RunHandle> => resumeRun({ ...deps, runId: "run-crash", isAlive: isOwnerAlive });

const before = await store.run("run-crash");
if (before?.status !== "finished") {
  const first = before ? await resume() : await startRun({ ...deps, runId: "run-crash", input: {} });
  let result = await first.result;
  for (; result.status === "waiting-approval"; result = await (await resume()).result) {
    const open = await store.approvals({ runId: "run-crash", only: "open" });
    for (const { nodeId, iteration } of open)
      await decideApproval(store, {
        runId: "run-crash",
        nodeId,
        iteration,
        decision: { verdict: "approve" },
        by: "ann",
        atMs: 1,
      });
  }
  if (result.status !== "finished") throw new Error(JSON.stringify(result));
}
const rows = await Promise.all(workflow.registry.tables.map((table) => store.outputs("run-crash", table)));
const recorded = rows.flat().map(({ nodeId, iteration, cells }) => [`${nodeId}::${iteration}`, cells]);
process.stdout.write(JSON.stringify({ recorded, points: point }));
