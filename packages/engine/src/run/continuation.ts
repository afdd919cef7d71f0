/** Makes the run that goes on where another one ends: its row, and what it brings along. Pure.
 *  N1. The successor is a new run: tasks with the same ids run again, and what it needs comes through `state`.
 *  N2. A loop that continues as new brings its counter, those of the loops around it, and the latest row of each node in its body.
 *  N3. `state` is JSON of at most 10 MB. */
import { SmoothError } from "@smooth/protocol/errors";
import { leavesBelow, type PlanContinue, type PlanLoop } from "../graph/plan.ts";
import { sizeOf, type JsonValue } from "../outputs/json.ts";
import type { OutputRows } from "../outputs/rows.ts";
import { encodeRow } from "../outputs/table.ts";
import type { WorkflowDefinition } from "../render/workflow.ts";
import type { NewRun, Successor } from "../store/port.ts";
import { derivedRunId } from "./derived-id.ts";
import { CONTINUATION, parseInput } from "./input.ts";

const MAX_STATE_BYTES = 10 * 1024 * 1024;

type Carried = Pick<Successor, "events" | "outputs">;

/** A run as it started: what its successor has in common with it. */
export type RunOrigin = Omit<NewRun, "atMs" | "parent">;

export interface Predecessor {
  readonly origin: RunOrigin;
  readonly rows: OutputRows;
  readonly workflow: Pick<WorkflowDefinition, "inputSchema">;
  readonly atMs: number;
}

/** Throws INVALID_CONTINUATION_STATE, CONTINUATION_STATE_TOO_LARGE. */
export function successorOf(from: PlanContinue | PlanLoop, { origin, rows, workflow, atMs }: Predecessor): Successor {
  const loops = from.kind === "loop";
  const input = loops
    ? origin.input
    : { ...asObject(origin.input), [CONTINUATION]: { payload: json(origin, from.state) } };
  parseInput(workflow.inputSchema, input);
  const runId = derivedRunId(origin.runId, "continued");
  const run: NewRun = { ...origin, runId, input, parent: { runId: origin.runId, as: "continuation", key: null }, atMs };
  return { run, ...(loops ? carriedBy(from, rows) : { events: [], outputs: [] }) };
}

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
function carriedBy(loop: PlanLoop, rows: OutputRows): Carried {
  const events: Successor["events"][number][] = loop.around.map((outer) => ({ type: "loop.advanced", ...outer }));
  const outputs: Successor["outputs"][number][] = [];
  events.push({ type: "loop.advanced", loopId: loop.loopId, iteration: loop.iteration + 1 });
  for (const leaf of leavesBelow(loop.body)) {
    const last = "output" in leaf && rows.last(leaf.output.name, leaf.nodeId);
    if (!last) continue;
    const ref = { nodeId: leaf.nodeId, iteration: last.iteration };
    events.push({ type: "node.finished", ...ref, output: leaf.output.name });
    outputs.push({ ...ref, table: leaf.output, cells: encodeRow(leaf.output, last.row) });
  }
  return { events, outputs };
}
