/** A task whose body is another run.
 *  B3. The child's id follows from the parent's run, the node and the round of its retries: it is started once, whatever crashes.
 *  B4. Whoever owns the parent owns the child: it is claimed without asking who had it.
 *  U2 is subflow-usage.ts.
 *  B5. A child that waits suspends the node, not the process: the parent wakes it when it is due. */
import { SmoothError } from "@smooth/protocol/errors";
import { localId } from "../graph/identity.ts";
import type { TaskBody } from "../graph/plan.ts";
import type { JsonValue } from "../outputs/json.ts";
import { decodeRow } from "../outputs/table.ts";
import type { WorkflowDefinition } from "../render/workflow.ts";
import type { Owner, RunRow, RunStore } from "../store/port.ts";
import type { UsageTotals } from "../task/usage.ts";
import { cancelRun } from "./control.ts";
import { derivedRunId } from "./derived-id.ts";
import { OVER, type ErrorInfo, type StoredEvent, type WaitOn } from "./events.ts";
import { parseInput } from "./input.ts";
import { lineage } from "./lineage.ts";
import type { RunResult } from "./result.ts";
import { tellMissed, usageListener, type OnUsage } from "./subflow-usage.ts";
import type { Suspension } from "./waits/waits.ts";

export type SubflowBody = Extract<TaskBody, { readonly mode: "subflow" }>;

export interface SubflowCall {
  /** State key of the node. */
  readonly key: string;
  /** How many children failed before. */
  readonly failures: number;
  /** How often the node was sent back. */
  readonly resets: number;
  readonly body: SubflowBody;
  /** Aborted with `LET_GO` when the run is let go: then the child is let go too, and else cancelled. */
  readonly signal: AbortSignal;
  readonly onUsage: OnUsage;
  /** What is counted of a child already. */
  readonly toldOfRun: (runId: string) => UsageTotals | undefined;
}

export type SubflowEnd =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "failed"; readonly error: ErrorInfo; readonly retryable: boolean }
  | { readonly kind: "suspended"; readonly on: Extract<WaitOn, { kind: "run" }> };

/** What a run needs to have children. */
export interface Subflows {
  run(call: SubflowCall): Promise<SubflowEnd>;
  /** Of a child that is suspended. */
  cancel(runId: string): Promise<void>;
  /** Whether a suspended child should be taken up: it is due, or over. */
  isReady(runId: string): Promise<boolean>;
}

export interface SubflowPorts {
  readonly store: RunStore;
  readonly owner: Owner;
  readonly now: () => number;
  readonly parent: { readonly runId: string; readonly auth: JsonValue };
  /** Drives a run that this process holds, to its end or its suspension, through all it continues as. */
  readonly drive: (child: {
    readonly workflow: WorkflowDefinition;
    readonly row: RunRow;
    readonly signal: AbortSignal;
    readonly onEvent: (event: StoredEvent) => void;
  }) => Promise<RunResult>;
}

export function openSubflows(ports: SubflowPorts): Subflows {
  const { store, now } = ports;
  return {
    run: (call) => runChild(ports, call),
    async cancel(runId) {
      const last = (await lineage(store, runId)).at(-1)?.runId ?? runId;
      await cancelRun(store, { runId: last, by: "its parent run", atMs: now() }).catch(nothing); // over by then
    },
    async isReady(runId) {
      const row = (await lineage(store, runId)).at(-1);
      const isFree = row?.owner === null && row.status === "running"; // a pause of it is over
      return !row || OVER.has(row.status) || isFree || (row.wakeAtMs !== null && row.wakeAtMs <= now());
    },
  };
}

const nothing = (): void => {};

async function runChild(ports: SubflowPorts, call: SubflowCall): Promise<SubflowEnd> {
  const { store, owner, now, parent, drive } = ports;
  const { key, failures, resets, body, signal, onUsage, toldOfRun } = call;
  const { workflow, input } = body;
  const runId = derivedRunId(parent.runId, resets === 0 ? `${key} ${failures}` : `${key} ${failures} ${resets}`); // B3
  parseInput(workflow.inputSchema, input);
  await store.defineOutputs(workflow.registry.tables);
  const created = await store.create({
    runId,
    workflow: workflow.name,
    input,
    auth: parent.auth,
    metadata: { source: workflow.source ?? null, vcsRoot: null },
    parent: { runId: parent.runId, as: "subflow", key },
    owner,
    atMs: now(),
  });
  if (created === "created" && resets > 0) await cancelEarlier(ports, { runId, key });
  if (created === "exists") await tellMissed({ store, childRunId: runId, onUsage }, toldOfRun); // U2
  const row = (await lineage(store, runId)).at(-1);
  if (!row) throw new SmoothError("RUN_NOT_FOUND", `subflow run ${runId} is gone`, { details: { runId } });
  if (!OVER.has(row.status)) {
    const epoch = await store.claim({ runId: row.runId, epoch: row.epoch, owner, atMs: now() }); // B4
    if (epoch === null) return suspended(runId, { status: "waiting-event", wakeAtMs: null });
    const onEvent = usageListener(row.runId, onUsage);
    const result = await drive({ workflow, row: { ...row, epoch }, signal, onEvent });
    if ("waiting" in result) return suspended(runId, result);
    if (result.status === "lost" || result.status === "released" || result.status === "paused")
      return suspended(runId, { status: "waiting-event", wakeAtMs: null });
  }
  return endOf(store, body, runId);
}

/** Of a node that was sent back: its child before may still wait for something. */
async function cancelEarlier({ store, now, parent }: SubflowPorts, own: { runId: string; key: string }): Promise<void> {
  for (const child of await store.runs({ parentRunId: parent.runId })) {
    const isEarlier = child.parent?.key === own.key && child.runId !== own.runId;
    const last = isEarlier ? (await lineage(store, child.runId)).at(-1) : undefined;
    if (last && !OVER.has(last.status))
      await cancelRun(store, { runId: last.runId, by: "its parent run", atMs: now() }).catch(nothing);
  }
}

const suspended = (runId: string, { status, wakeAtMs }: Pick<Suspension, "status" | "wakeAtMs">): SubflowEnd => ({
  kind: "suspended",
  on: { kind: "run", runId, status, dueMs: wakeAtMs },
});

/** What a child that is over leaves to its parent. */
async function endOf(store: RunStore, body: SubflowBody, runId: string): Promise<SubflowEnd> {
  const last = (await lineage(store, runId)).at(-1);
  if (last?.status === "finished") return { kind: "value", value: await outputOf(store, body, last.runId) };
  const error = last?.error ?? { code: "CANCELLED", message: `subflow run ${runId} was cancelled` };
  return { kind: "failed", error, retryable: last?.status === "failed" };
}

/** The row of the node `outputFrom`, or the child's last row in `output`. */
async function outputOf(store: RunStore, { workflow, outputFrom }: SubflowBody, runId: string): Promise<unknown> {
  const finished = (await store.events(runId, 0)).flatMap((event) => (event.type === "node.finished" ? [event] : []));
  const last = finished.findLast(({ nodeId, output }) =>
    outputFrom === null ? output === "output" : output !== null && localId(nodeId) === outputFrom,
  );
  const table = workflow.registry.tables.find(({ name }) => name === last?.output);
  const rows = table ? await store.outputs(runId, table) : [];
  const cells = rows.find(({ nodeId, iteration }) => nodeId === last?.nodeId && iteration === last.iteration);
  if (table && cells) return decodeRow(table, cells.cells);
  throw new SmoothError(
    "INVALID_OUTPUT",
    outputFrom === null
      ? `subflow ${workflow.name} finished without a row in \`output\`; give that key to a task of it, or name a node by \`outputFrom\``
      : `subflow ${workflow.name} finished without a row of its node ${outputFrom}`,
    { details: { runId } },
  );
}
