/** Makes the run that goes on where another one ends: its row, and what it brings along. Pure.
 *  N1. The successor is a new run: tasks with the same ids run again, and what it needs comes through `state`; but signals that nobody
 *      has used go along.
 *  N2. A loop that continues as new brings its counter, those of the loops around it, the latest row of each node in its body, the
 *      beat of its timers, and the signals that still have somebody to come for.
 *  N3. `state` is JSON of at most 10 MB.
 *  N4. What was spent goes along, so that budgets hold over all the runs (schedule/budget.ts A1). */
import { SmoothError } from "@smooth/protocol/errors";
import type { NodeRef } from "../graph/identity.ts";
import { leavesBelow, type PlanContinue, type PlanLoop } from "../graph/plan.ts";
import { sizeOf, type JsonValue } from "../outputs/json.ts";
import type { OutputRows } from "../outputs/rows.ts";
import { encodeRow } from "../outputs/table.ts";
import type { WorkflowDefinition } from "../render/workflow.ts";
import type { NewRun, Successor } from "../store/port.ts";
import { addUsage } from "../task/usage.ts";
import { derivedRunId } from "./derived-id.ts";
import type { RunEventBody } from "./events.ts";
import { CONTINUATION, parseInput } from "./input.ts";
import type { RunState } from "./state.ts";
import { signalsLeft } from "./waits/signal.ts";

const MAX_STATE_BYTES = 10 * 1024 * 1024;

type Carried = Pick<Successor, "events" | "outputs">;

/** A run as it started: what its successor has in common with it. */
export type RunOrigin = Omit<NewRun, "atMs" | "parent">;

export interface Predecessor {
  readonly origin: RunOrigin;
  readonly rows: OutputRows;
  readonly state: Pick<RunState, "signals" | "timers" | "usage" | "spentBefore">;
  readonly startedAtMs: number;
  readonly workflow: Pick<WorkflowDefinition, "inputSchema">;
  readonly atMs: number;
}

/** Throws INVALID_CONTINUATION_STATE, CONTINUATION_STATE_TOO_LARGE. */
export function successorOf(
  from: PlanContinue | PlanLoop,
  { origin, rows, state, workflow, startedAtMs, atMs }: Predecessor,
): Successor {
  const loops = from.kind === "loop";
  const input = loops
    ? origin.input
    : { ...asObject(origin.input), [CONTINUATION]: { payload: json(origin, from.state) } };
  parseInput(workflow.inputSchema, input);
  const runId = derivedRunId(origin.runId, "continued");
  const run: NewRun = { ...origin, runId, input, parent: { runId: origin.runId, as: "continuation", key: null }, atMs };
  const { events, outputs } = loops
    ? carriedBy(from, { rows, state })
    : { events: signalsLeft(state.signals, []), outputs: [] };
  return { run, events: [spentBy(state, atMs - startedAtMs), ...events], outputs };
}

/** N4 */
const spentBy = ({ usage, spentBefore }: Predecessor["state"], ownMs: number): RunEventBody => ({
  type: "run.continues",
  elapsedMs: spentBefore.elapsedMs + Math.max(0, ownMs),
  usage: [...usage.values()].reduce((sum, each) => addUsage(each, sum), spentBefore.usage),
});

/** N3 */
function json({ runId }: RunOrigin, state: unknown): JsonValue {
  const text = textOf(runId, state);
  const sizeBytes = sizeOf(text);
  if (sizeBytes > MAX_STATE_BYTES)
    throw new SmoothError(
      "CONTINUATION_STATE_TOO_LARGE",
      `the state that run ${runId} continues with is ${sizeBytes} bytes of JSON; the limit is ${MAX_STATE_BYTES}`,
      { details: { runId, sizeBytes, maxBytes: MAX_STATE_BYTES } },
    );
  return JSON.parse(text) as JsonValue;
}

function textOf(runId: string, state: unknown): string {
  const problem = `the state that run ${runId} continues with cannot be written as JSON`;
  try {
    const text = JSON.stringify(state) as string | undefined;
    if (text !== undefined) return text;
  } catch (cause) {
    throw new SmoothError("INVALID_CONTINUATION_STATE", problem, { cause, details: { runId } });
  }
  throw new SmoothError("INVALID_CONTINUATION_STATE", problem, { details: { runId } });
}

const asObject = (input: JsonValue): Readonly<Record<string, JsonValue>> =>
  typeof input === "object" && !Array.isArray(input) ? (input as Readonly<Record<string, JsonValue>>) : {};

/** N2 */
function carriedBy(loop: PlanLoop, { rows, state }: Pick<Predecessor, "rows" | "state">): Carried {
  const events: Successor["events"][number][] = loop.around.map((outer) => ({ type: "loop.advanced", ...outer }));
  const outputs: Successor["outputs"][number][] = [];
  const leaves = leavesBelow(loop.body);
  events.push({ type: "loop.advanced", loopId: loop.loopId, iteration: loop.iteration + 1 });
  for (const leaf of leaves) {
    const last = "output" in leaf && rows.last(leaf.output.name, leaf.nodeId);
    if (leaf.type === "timer") events.push(...beatOf(leaf, state));
    if (!last) continue;
    const ref = { nodeId: leaf.nodeId, iteration: last.iteration };
    events.push({ type: "node.finished", ...ref, output: leaf.output.name });
    outputs.push({ ...ref, table: leaf.output, cells: encodeRow(leaf.output, last.row) });
  }
  const waiters = leaves.filter((leaf) => leaf.type === "signal");
  return { events: [...events, ...signalsLeft(state.signals, waiters)], outputs };
}

/** Its last time, as if it had been waited for in this run: the next beat counts from there (timer.ts M1). */
function beatOf({ nodeId, iteration }: NodeRef, { timers }: Predecessor["state"]): Carried["events"] {
  const dueMs = timers.get(nodeId);
  if (dueMs === undefined) return [];
  const ref = { nodeId, iteration };
  return [
    { type: "wait.opened", ...ref, on: { kind: "timer", dueMs } },
    { type: "node.finished", ...ref, output: null },
  ];
}
