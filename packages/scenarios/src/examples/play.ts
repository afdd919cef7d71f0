/** A process that plays one or all examples from start to end, as people would: node play.ts <plays.json>
 *  It answers approvals, sends signals, waits for what is due, and prints how each run ended. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { decideApproval, signalRun } from "@smooth/engine/control";
import { answerHuman } from "@smooth/engine/human";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { loadWorkflow } from "@smooth/workflow/load-workflow";
import { runWorkflow, type RunWorkflowResult } from "@smooth/workflow/run-workflow";

export interface Play {
  readonly name: string;
  readonly input?: Readonly<Record<string, unknown>>;
  /** What the person decides, by node; others are approved. */
  readonly deny?: readonly string[];
  readonly select?: Readonly<Record<string, string>>;
  /** What the person answers, by node. */
  readonly answers?: Readonly<Record<string, unknown>>;
  readonly signals?: readonly { readonly name: string; readonly payload: unknown }[];
  /** The folder it runs in is a git repository. */
  readonly repository?: boolean;
  /** How many runs there are, one after the other in the same folder; the last one is told. */
  readonly runs?: number;
}

export type Played = Pick<RunWorkflowResult, "status" | "output" | "error"> & { readonly ran: readonly string[] };

const EXAMPLES = join(import.meta.dirname, "../../../../examples");
/** Stays until all are played: a process whose folder is gone can start no program. */
const HOME = process.cwd();
const MAX_RESUMES = 50;

async function play(play: Play): Promise<Played> {
  const rootDir = mkdtempSync(join(HOME, "example-"));
  if (play.repository) makeRepository(rootDir);
  process.chdir(rootDir);
  for (let run = 1; run < (play.runs ?? 1); run += 1) await playOnce(play, rootDir, `run-${run}`);
  return playOnce(play, rootDir, "run-example");
}

async function playOnce(play: Play, rootDir: string, runId: string): Promise<Played> {
  const ran: string[] = [];
  const onEvent = (event: { readonly type: string; readonly nodeId?: string }): void => {
    if (event.type === "node.finished" && event.nodeId) ran.push(event.nodeId);
  };
  const workflow = await loadWorkflow(join(EXAMPLES, `${play.name}.tsx`));
  const options = { rootDir, runId, onEvent: onEvent as never, sandboxes: { minIsolation: "namespace" } } as const;
  let result = await runWorkflow(workflow, { ...options, input: (play.input ?? {}) as never });
  for (let turn = 0; turn < MAX_RESUMES && result.status.startsWith("waiting-"); turn += 1) {
    await answer(rootDir, runId, { ...play, signals: turn === 0 ? (play.signals ?? []) : [] });
    result = await runWorkflow(workflow, { ...options, resume: true, input: {} });
  }
  const { status, output, error } = result;
  return { status, ran, ...(output === undefined ? {} : { output }), ...(error ? { error } : {}) };
}

async function answer(rootDir: string, runId: string, play: Play): Promise<void> {
  const { deny = [], select = {}, answers = {}, signals = [] } = play;
  const sql = openSqlite(join(rootDir, "smithers.db"));
  const store = openSqliteStore(sql);
  for (const { nodeId, iteration, mode, request } of await store.approvals({ runId, only: "open" })) {
    const selected = select[nodeId] ?? request.options?.[0]?.key;
    const ranked = request.options?.map(({ key }) => key);
    const chosen = { approve: {}, select: { selected }, rank: { ranked } };
    if (mode === "answer") {
      const value = answers[nodeId] as never;
      await answerHuman(store, { requestId: `${runId}::${nodeId}::${iteration}`, value, by: "ann", atMs: Date.now() });
      continue;
    }
    const decision = deny.includes(nodeId)
      ? ({ verdict: "deny" } as const)
      : { verdict: "approve" as const, ...chosen[mode] };
    await decideApproval(store, { runId, nodeId, iteration, decision: decision as never, by: "ann", atMs: Date.now() });
  }
  for (const { name, payload } of signals)
    await signalRun(store, { runId, name, payload: payload as never, by: "ann", atMs: Date.now() });
  const { wakeAtMs } = (await store.run(runId)) ?? {};
  sql.close();
  if (typeof wakeAtMs === "number") await sleep(Math.max(0, wakeAtMs - Date.now()));
}

function makeRepository(folder: string): void {
  const git = (...args: string[]): Buffer => execFileSync("git", ["-C", folder, ...args]);
  git("init", "-q", "-b", "main");
  git("-c", "user.name=ann", "-c", "user.email=ann@example.com", "commit", "-q", "--allow-empty", "-m", "Begin");
}

const plays = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as readonly Play[];
const played: Record<string, Played | { readonly thrown: string }> = {};
for (const one of plays)
  played[one.name] = await play(one).catch((error: Error) => ({ thrown: `${error.message}\n${error.stack}` }));
process.stdout.write(JSON.stringify(played));
process.exit(0);
