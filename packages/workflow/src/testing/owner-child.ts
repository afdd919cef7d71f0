/** A process that owns a run with one body: node owner-child.ts <folder>. Says when the body has begun, and
 *  how the run ended. The body ends when there is a file `go`, and leaves `aborted` when it is told to stop. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { processOwner } from "@smooth/engine/process-owner";
import { startRun } from "@smooth/engine/run";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { systemClock, systemIds, systemRandom } from "@smooth/platform/node/system";
import { memoryLog } from "@smooth/platform/testing";
import { oneTask } from "./one-task.ts";

const [folder = ""] = process.argv.slice(2);
const store = openSqliteStore(openSqlite(join(folder, "runs.db")));
const workflow = oneTask(({ signal }) => {
  process.stdout.write("began\n");
  return new Promise((resolve) => {
    setInterval(() => existsSync(join(folder, "go")) && resolve({ n: 1 }), 5);
    signal.addEventListener("abort", () => {
      writeFileSync(join(folder, "aborted"), "");
      resolve({ n: 1 }); // a body that hands something back all the same
    });
  });
});
const deps = { store, workflow, clock: systemClock, ids: systemIds, random: systemRandom, log: memoryLog() };
const handle = await startRun({ ...deps, owner: processOwner(), runId: "run-1", input: {} });
process.stdout.write(`${(await handle.result).status}\n`);
process.exit(0);
