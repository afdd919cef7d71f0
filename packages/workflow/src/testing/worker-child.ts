/** One worker of several on one database: node worker-child.ts <url> <bodies file>. Says which run it claimed; ends when no run is left.
 *  What it claims first it holds until a line comes on stdin: so whoever started several knows that each has something to do. */
import { once } from "node:events";
import process from "node:process";
import { claimResumable } from "@smooth/engine/control";
import { isOwnerAlive, processOwner } from "@smooth/engine/process-owner";
import { resumeRun } from "@smooth/engine/run";
import { openPostgresStore } from "@smooth/engine/store/postgres";
import { openPostgres } from "@smooth/platform/node/postgres";
import { systemClock, systemRandom } from "@smooth/platform/node/system";
import { memoryLog } from "@smooth/platform/testing";
import { crashWorkflows } from "./crash-workflows.ts";

const [url = "", bodyLog = ""] = process.argv.slice(2);
const workflows = crashWorkflows(bodyLog);
const pg = openPostgres(url, { maxConnections: 3 });
const store = await openPostgresStore(pg);
const owner = processOwner();
const deps = { store, clock: systemClock, random: systemRandom, log: memoryLog(), owner, isAlive: isOwnerAlive };

for (let toldToGo = false; ;) {
  const unended = await store.runs({ status: ["running"] });
  if (unended.length === 0) break;
  const check = { isAlive: isOwnerAlive, host: owner.host, nowMs: systemClock.now() };
  const claimed = await claimResumable(store, { ...check, owner, limit: 3 });
  for (const { run } of claimed) process.stdout.write(`${run.runId}\n`);
  if (claimed.length > 0 && !toldToGo) {
    await once(process.stdin, "data");
    process.stdin.destroy();
    toldToGo = true;
  }
  const handles = await Promise.all(
    claimed.map((own) => {
      const { runId, workflow: name } = own.run;
      const workflow = workflows[name];
      if (!workflow) throw new TypeError(`no workflow ${name}`);
      return resumeRun({ ...deps, workflow, runId, claimed: own });
    }),
  );
  await Promise.all(handles.map(({ result }) => result));
  if (claimed.length === 0) await systemClock.sleep(20);
}
await pg.close();
