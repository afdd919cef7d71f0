/** The program in the sandbox: runs one workflow to its end by the engine, with a store that lives as long as it does, and leaves a
 *  manifest. It is told nothing that its workflow does not need, and nobody can reach it. */
import { readFile, rename, writeFile } from "node:fs/promises";
import process from "node:process";
import type { ErrorInfo, StoredEvent } from "@smooth/engine/events";
import { processOwner } from "@smooth/engine/process-owner";
import { lastResult, resumeRun, startRun, type RunHandle } from "@smooth/engine/run";
import { NOTHING, type RunStore } from "@smooth/engine/store";
import { openMemoryStore } from "@smooth/engine/store/memory";
import { decodeRow, encodeRow, rowFromJson, rowToJson } from "@smooth/engine/table";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { React } from "@smooth/engine/react";
import { systemClock, systemIds, systemRandom } from "@smooth/platform/node/system";
import type { Log } from "@smooth/platform/ports";
import { bindTools } from "@smooth/tools/task/scope";
import { WithinSandbox } from "../components/sandbox.ts";
import type { Manifest } from "./manifest.ts";
import { MARK, PING_MS, SandboxRequest, type Said } from "./request.ts";

/** `SMOOTH_REQUEST` and `SMOOTH_BUNDLE` name its two files. */
export async function runInside(workflow: WorkflowDefinition): Promise<void> {
  const { SMOOTH_REQUEST: from = "", SMOOTH_BUNDLE: to = "" } = process.env;
  const request = SandboxRequest.parse(JSON.parse(await readFile(from, "utf8")));
  const pings = setInterval(() => say({ kind: "alive" }), PING_MS);
  const manifest = await runWithin(workflow, request).catch((error: unknown): Manifest => {
    const { code = "SANDBOX_EXECUTION_FAILED", message = String(error) } = error as { code?: string; message?: string };
    return { status: "failed", runId: request.runId, error: { code, message: message.slice(0, 10_000) } };
  });
  clearInterval(pings);
  await writeFile(`${to}.part`, JSON.stringify(manifest));
  await rename(`${to}.part`, to);
  // What a task left open holds nothing up.
  process.stdout.write("", () => process.exit(0));
}

const say = (said: Said): void => void process.stdout.write(`${MARK}${JSON.stringify(said)}\n`);

function onEvent(event: StoredEvent): void {
  if (event.type === "node.output") process.stdout.write(event.text);
  else say({ kind: "event", type: event.type, ...("nodeId" in event ? { nodeId: event.nodeId } : {}) });
}

async function runWithin(whole: WorkflowDefinition, request: SandboxRequest): Promise<Manifest> {
  const { runId, within, wallMs, input } = request;
  const workflow = within ? childrenOf(whole, within.id) : whole;
  const store = openMemoryStore();
  const owner = processOwner();
  const world = { store, owner, clock: systemClock, ids: systemIds, random: systemRandom, log: quiet };
  const around = bindTools({ rootDir: process.cwd(), allowNetwork: true }); // the sandbox is the wall
  const deps = { ...world, workflow, around, onEvent };
  const resume = (): Promise<RunHandle> => resumeRun({ ...deps, runId, isAlive: () => false });
  if (within) await record(within, { store, workflow, runId, input, owner });
  const known = within ? within.rows.length : 0;
  let result = await lastResult(within ? await resume() : await startRun({ ...deps, runId, input }));
  const untilMs = systemClock.now() + wallMs;
  while ("wakeAtMs" in result && result.wakeAtMs !== null && result.wakeAtMs <= untilMs) {
    await systemClock.sleep(Math.max(0, result.wakeAtMs - systemClock.now()));
    result = await lastResult(await resumeRun({ ...deps, runId: result.runId, isAlive: () => false }));
  }
  if ("waiting" in result) {
    const nodes = result.waiting.map(({ nodeId }) => nodeId).join(", ");
    const message = `a wait that outlasts it (${result.status}: ${nodes})`;
    return { status: "waiting", runId: result.runId, error: { code: "SANDBOX_EXECUTION_FAILED", message } };
  }
  if (result.status === "finished") {
    const output = await answer({ store, workflow, runId: result.runId }, { table: request.output, known });
    return { status: "finished", runId: result.runId, output };
  }
  const error: ErrorInfo =
    "error" in result ? result.error : { code: "CANCELLED", message: `the child run was ${result.status}` };
  return { status: "failed", runId: result.runId, error: { code: error.code, message: error.message } };
}

/** The workflow as it is, of which only these children count. */
const childrenOf = (workflow: WorkflowDefinition, id: string): WorkflowDefinition => ({
  ...workflow,
  inputSchema: workflow.inputSchema,
  within: id,
  build: (ctx) => React.createElement(WithinSandbox, { value: id }, workflow.build(ctx)),
});

interface Run {
  readonly store: RunStore;
  readonly workflow: WorkflowDefinition;
  readonly runId: string;
}

/** The child's run begins with what is recorded around it. */
async function record(
  { rows, loops }: NonNullable<SandboxRequest["within"]>,
  { store, workflow, runId, ...run }: Run & Pick<SandboxRequest, "input"> & { owner: ReturnType<typeof processOwner> },
): Promise<void> {
  const atMs = systemClock.now();
  const metadata = { source: workflow.source ?? null, vcsRoot: null };
  await store.create({ runId, workflow: workflow.name, auth: null, metadata, atMs, ...run });
  const outputs = rows.map(({ table: name, nodeId, iteration, row }) => {
    const table = workflow.registry.find(name);
    return { table, nodeId, iteration, cells: encodeRow(table, rowFromJson(row)) };
  });
  const finished = rows.map(({ table, nodeId, iteration }) => ({ nodeId, iteration, output: table }));
  const events = [
    ...loops.map(([loopId, iteration]) => ({ type: "loop.advanced", loopId, iteration }) as const),
    ...finished.map((node) => ({ type: "node.finished", ...node }) as const),
  ];
  await store.commit({ ...NOTHING, runId, epoch: 1, atMs, events, outputs });
}

/** The last row of the table; of children, one of theirs. */
async function answer(
  { store, workflow, runId }: Run,
  { table: name, known }: { readonly table: string; readonly known: number },
): Promise<unknown> {
  const finished = (await store.events(runId, 0)).filter((event) => event.type === "node.finished").slice(known);
  const last = finished.findLast(({ output }) => output === name);
  const table = workflow.registry.tables.find((other) => other.name === name);
  const rows = table ? await store.outputs(runId, table) : [];
  const found = rows.find(({ nodeId, iteration }) => nodeId === last?.nodeId && iteration === last.iteration);
  if (table && found) return JSON.parse(rowToJson(decodeRow(table, found.cells)));
  throw Object.assign(new Error(`it finished without a row in \`${name}\`; give that key to a task of it`), {
    code: "INVALID_OUTPUT",
  });
}

const nothing = (): void => {};
const quiet: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
