/** A process that runs a workflow with a sandbox to its end, unless it kills itself at a point of the step:
 *  node sandbox-crash-child.ts <folder> <running | waiting | recorded | written | never>. Prints what the log says of the step. */
import { join } from "node:path";
import process from "node:process";
import { decideApproval } from "@smooth/engine/control";
import { isOwnerAlive, processOwner } from "@smooth/engine/process-owner";
import { resumeRun, startRun } from "@smooth/engine/run";
import type { Sandboxes } from "@smooth/engine/sandboxes";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { systemClock, systemIds, systemRandom } from "@smooth/platform/node/system";
import { memoryLog } from "@smooth/platform/testing";
import { processDriver } from "@smooth/vm/process";
import { sharedKernelOptions } from "@smooth/vm/testing/shared-kernel";
import { h } from "../jsx-runtime.ts";
import { openSandboxes } from "../sandbox/sandboxes.node.ts";
import { outputs, Sandbox, smithers, Workflow } from "./rules.ts";

const [folder = "", crashAt = "never"] = process.argv.slice(2);
const passPoint = (point: string): void => {
  if (point === crashAt) process.kill(process.pid, "SIGKILL");
};

const drivers = { process: processDriver(sharedKernelOptions()) };
const real = openSandboxes({ rootDir: join(folder, "root"), drivers, clock: systemClock, minIsolation: "process" });
const sandboxes: Sandboxes = {
  run: (call) => real.run(call),
  async apply(files, worktree) {
    passPoint("recorded");
    await real.apply(files, worktree);
    passPoint("written");
  },
};
const work = `echo ran >> "$RUNS"; sleep 0.2; echo new > a.txt; rm b.txt; echo '{"status":"finished","output":{"n":7}}' > "$SMOOTH_BUNDLE"`;
const env = { RUNS: join(folder, "runs") };
const workflow = smithers(() =>
  h(
    Workflow,
    { name: "boxed" },
    h(Sandbox, { id: "box", output: outputs.n, command: `sh -c '${work.replaceAll("'", `'\\''`)}'`, env }),
  ),
);

const store = openSqliteStore(openSqlite(join(folder, "runs.db")));
const deps = {
  store,
  workflow,
  sandboxes,
  clock: systemClock,
  ids: systemIds,
  random: systemRandom,
  log: memoryLog(),
  owner: processOwner(),
  onEvent: ({ type }: { readonly type: string }) => type === "sandbox.shipped" && passPoint("running"),
};
const runId = "run-crash";
const resume = async () => (await resumeRun({ ...deps, runId, isAlive: isOwnerAlive })).result;
const known = await store.run(runId);
let result = await (known ? resume() : (await startRun({ ...deps, runId, input: {} })).result);
if (result.status === "waiting-approval") {
  passPoint("waiting");
  const at = { runId, nodeId: "box", iteration: 0 };
  await decideApproval(store, { ...at, decision: { verdict: "approve" }, by: "ann", atMs: 1 });
  result = await resume();
}
const events = await store.events(runId, 0);
const attempts = events.flatMap((event) => (event.type === "node.started" ? [event.attempt] : []));
const asked = events.filter(({ type }) => type === "approval.opened").length;
process.stdout.write(JSON.stringify({ status: result.status, attempts, asked }));
process.exit(0);
