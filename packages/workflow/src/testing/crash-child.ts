/** A process that runs one workflow to its end, unless it kills itself first: node crash-child.ts <folder> <workflow> [crashAt]
 *  Point 2k is before the k-th commit, 2k+1 after it; `end` is when all is done. Prints what it recorded and how many points there were. */
import { execFileSync } from "node:child_process";
import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { decideApproval, signalRun } from "@smooth/engine/control";
import type { StoredEvent } from "@smooth/engine/events";
import { endHijack } from "@smooth/engine/hijack";
import { answerHuman, listHumanRequests } from "@smooth/engine/human";
import { isOwnerAlive, processOwner } from "@smooth/engine/process-owner";
import { lineage } from "@smooth/engine/lineage";
import { lastResult, resumeRun, startRun, type RunHandle } from "@smooth/engine/run";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { systemClock, systemIds, systemRandom } from "@smooth/platform/node/system";
import { memoryLog } from "@smooth/platform/testing";
import type { Sql, Sync } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { worktreesOf } from "@smooth/vcs/worktrees";
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
/** A repository for the workflow whose steps work in a folder of their own. */
function repository(): string {
  const repo = join(folder, "repo");
  if (existsSync(join(repo, ".git", "HEAD"))) return repo;
  const git = (...args: readonly string[]) => execFileSync("git", ["-C", folder, ...args], { stdio: "ignore" });
  git("init", "-q", "-b", "main", "made");
  git("-C", "made", "-c", "user.name=n", "-c", "user.email=e@x", "commit", "-q", "--allow-empty", "-m", "first");
  renameSync(join(folder, "made"), repo);
  return repo;
}

const deps = {
  store,
  workflow,
  clock: systemClock,
  ids: systemIds,
  random: systemRandom,
  log: memoryLog(),
  owner: processOwner(),
  worktrees: name === "trees" ? worktreesOf(repository(), systemClock) : null,
  onEvent: (event: StoredEvent) => void (event.type === "human.asked" && answerAll()),
};
const RUN = "run-crash";
/** The run that the work has come to, when it continued as new. */
const latest = async (): Promise<string> => (await lineage(store, RUN)).at(-1)?.runId ?? RUN;
const resume = async (): Promise<RunHandle> => resumeRun({ ...deps, runId: await latest(), isAlive: isOwnerAlive });

const from = { by: "ann", atMs: 1 };

/** Rows of a HumanTask, texts for the question of a body. */
async function answerAll(): Promise<void> {
  for (const { requestId, schema } of await listHumanRequests(store)) {
    const value = (schema as { type?: unknown }).type === "string" ? "5" : { n: 5 };
    await answerHuman(store, { requestId, value, ...from }).catch(unless("ALREADY_DECIDED"));
  }
}
const unless =
  (code: string) =>
  (error: unknown): void => {
    if (!(error instanceof SmoothError) || error.code !== code) throw error;
  };

const CHOICES: Readonly<Record<string, object>> = { select: { selected: "y" }, rank: { ranked: ["z", "x"] } };

/** A person who answers everything that is open and gives back every session, and a shop that has two signals to send. */
async function actFromOutside(): Promise<void> {
  for (const { runId, nodeId, iteration, mode } of await store.approvals({ only: "open" }))
    if (mode !== "answer")
      await decideApproval(store, {
        runId,
        nodeId,
        iteration,
        decision: { verdict: "approve", ...CHOICES[mode] },
        ...from,
      });
  await answerAll();
  for (const nodeId of name === "taken" ? ["completed", "reopened"] : [])
    await endHijack(store, { runId: RUN, nodeId, iteration: 0, session: 7, output: { n: 6 }, ...from }).catch(
      unless("ASK_VOID"),
    );
  const sent = (await store.events(RUN, 0)).filter((event) => event.type === "signal.received").length;
  if (name === "waits" && sent < 2)
    await signalRun(store, { runId: RUN, name: "go", payload: { n: 10 + sent }, ...from });
}

const started = await store.run(RUN);
if (!started || (await store.run(await latest()))?.status !== "finished") {
  const first = started ? await resume() : await startRun({ ...deps, runId: RUN, input: {} });
  if (started) await answerAll(); // what a body asked before its process was killed
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
if (crashAt === "end") process.kill(process.pid, "SIGKILL");
