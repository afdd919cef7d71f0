/** An owner that is stopped, loses its run to another one, and wakes up. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { isOwnerAlive } from "@smooth/engine/process-owner";
import { resumeRun } from "@smooth/engine/run";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { systemClock, systemRandom } from "@smooth/platform/node/system";
import { memoryLog } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { oneTask } from "../testing/one-task.ts";
import { OWNER } from "../testing/run-in-memory.ts";

const CHILD = join(import.meta.dirname, "../testing/owner-child.ts");
const LEASE_MS = 20_000;

/** `ends`: its body hands in a result as the first thing after waking, before anything else is noticed. */
test.each([
  ["S2, L2: a stopped owner that wakes after a takeover writes nothing, and its bodies are aborted", false],
  ["S2: nor does one whose body has ended when it wakes: the store refuses its result", true],
])("%s", async (_title, ends) => {
  const folder = mkdtempSync(join(tmpdir(), "smooth-stopped-"));
  const child = spawn(process.execPath, [CHILD, folder], { stdio: ["ignore", "pipe", "inherit"] });
  child.stdout.setEncoding("utf8");
  expect(await once(child.stdout, "data")).toEqual(["began\n"]);
  child.kill("SIGSTOP");
  const sql = openSqlite(join(folder, "runs.db"));
  const store = openSqliteStore(sql);
  const workflow = oneTask(async () => ({ n: 2 }));
  const deps = { store, workflow, random: systemRandom, log: memoryLog(), isAlive: isOwnerAlive, runId: "run-1" };
  const elsewhere = { ...OWNER, host: "elsewhere" };

  // Another host waits for the lease; then the run is its own.
  const tooEarly = resumeRun({ ...deps, owner: elsewhere, clock: systemClock });
  await expect(tooEarly).rejects.toMatchObject({ code: "RUN_OWNER_ALIVE" });
  const later = { ...systemClock, now: () => systemClock.now() + LEASE_MS + 1_000 };
  const taken = await resumeRun({ ...deps, owner: elsewhere, clock: later });
  expect((await taken.result).status).toBe("finished");
  const before = [await store.run("run-1"), await store.events("run-1", 0)];

  if (ends) writeFileSync(join(folder, "go"), "");
  child.kill("SIGCONT");
  const [said] = (await once(child.stdout, "data")) as [string];
  await once(child, "close");

  expect(said).toBe("lost\n");
  expect(ends || existsSync(join(folder, "aborted"))).toBe(true);
  expect([await store.run("run-1"), await store.events("run-1", 0)]).toEqual(before);
  const table = workflow.registry.tables.find(({ name }) => name === "n");
  expect(table && (await store.outputs("run-1", table)).map(({ cells }) => cells[0])).toEqual([2]);
  sql.close();
  rmSync(folder, { recursive: true });
});
