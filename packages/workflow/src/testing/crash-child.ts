/** A process that runs one workflow to its end, unless it kills itself first: node crash-child.ts <folder> <workflow> [crashAt]
 *  Point 2k is before the k-th commit, 2k+1 after it. Prints what it recorded and how many points there were. */
import { join } from "node:path";
import process from "node:process";
import { decideApproval, signalRun } from "@smooth/engine/control";
import { answerHuman, listHumanRequests } from "@smooth/engine/human";
import { isOwnerAlive, processOwner } from "@smooth/engine/process-owner";
import { lineage } from "@smooth/engine/lineage";
import { lastResult, resumeRun, startRun, type RunHandle } from "@smooth/engine/run";
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
const RUN = "run-crash";
/** The run that the work has come to, when it continued as new. */
const latest = async (): Promise<string> => (await lineage(store, RUN)).at(-1)?.runId ?? RUN;
const resume = async (): Promise<RunHandle> => resumeRun({ ...deps, runId: await latest(), isAlive: isOwnerAlive });

/** A person who answers everything that is open, and a shop that has two signals to send. */
async function actFromOutside(): Promise<void> {
  const from = { by: "ann", atMs: 1 };
  for (const { runId, nodeId, iteration, mode } of await store.approvals({ only: "open" }))
    if (mode !== "answer")
      await decideApproval(store, { runId, nodeId, iteration, decision: { verdict: "approve" }, ...from });
  for (const { requestId } of await listHumanRequests(store))
    await answerHuman(store, { requestId, value: { n: 5 }, ...from });
  const sent = (await store.events(RUN, 0)).filter((event) => event.type === "signal.received").length;
  if (name === "waits" && sent < 2)
    await signalRun(store, { runId: RUN, name: "go", payload: { n: 10 + sent }, ...from });
}

const started = await store.run(RUN);
if (!started || (await store.run(await latest()))?.status !== "finished") {
  const first = started ? await resume() : await startRun({ ...deps, runId: RUN, input: {} });
  let result = await lastResult(first);
  for (; result.status.startsWith("waiting-"); result = await lastResult(await resume())) await actFromOutside();
  if (result.status !== "finished") throw new Error(JSON.stringify(result));
}
const runs = (await store.runs({})).map(({ runId }) => runId);
const rows = await Promise.all(
  runs.flatMap((runId) =>
    workflow.registry.tables.map(async (table) =>
      (await store.outputs(runId, table)).map(({ nodeId, iteration, cells }) => [
        `${runId} ${nodeId}::${iteration}`,
        cells,
      ]),
    ),
  ),
);
process.stdout.write(JSON.stringify({ recorded: rows.flat(), points: point }));
