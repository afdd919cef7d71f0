/** A step whose body is a sandbox. It has two halves, so that files and rows can never disagree.
 *  Q1. First the sandbox runs. Changed files are not written then: they are recorded with the row they belong to, in one transaction.
 *      A host that dies before has recorded nothing and touched nothing, and the sandbox runs again from the start.
 *  Q2. Then, after a person has agreed where one is asked, the recorded files are written and the row becomes the step's. The sandbox
 *      never runs again for it, whatever crashes; denied, the files are dropped and the step fails.
 *  Q3. A sandbox that changed files is never kept in the cache: its row alone would not be its result. */
import { SmoothError } from "@smooth/protocol/errors";
import type { TaskBody, TaskLeaf } from "../graph/plan.ts";
import type { JsonValue } from "../outputs/json.ts";
import { rowToJson, type Row } from "../outputs/table.ts";
import type { BundleFile, SandboxBundle, SandboxEvent, Sandboxes, SandboxSurroundings } from "../task/sandboxes.ts";
import type { LoopInput } from "./loop-input.ts";
import type { RunState } from "./state.ts";
import type { Opened } from "./waits/outcome.ts";

export type SandboxBody = Extract<TaskBody, { readonly mode: "sandbox" }>;

/** The recorded half of a step (Q1), as the attempt left it for the next one. */
export interface RecordedBundle {
  readonly row: string;
  readonly files: readonly BundleFile[];
}

/** What an attempt is given of all this. */
export interface SandboxAccess {
  /** Null: whoever runs the workflow gives it none. */
  readonly sandboxes: Sandboxes | null;
  readonly recorded: RecordedBundle | null;
  readonly around: () => SandboxSurroundings;
  readonly note: (event: SandboxEvent) => void;
}

/** What the attempt leaves for the one that writes the files. */
export const recordable = (row: Row, { files }: SandboxBundle): JsonValue =>
  ({ sandbox: { row: rowToJson(row), files } }) as unknown as JsonValue;

/** A fork takes the log along and not the files: there the sandbox runs anew. */
export function recordedBundle({ bundled }: RunState, key: string, left: JsonValue): RecordedBundle | null {
  if (!bundled.has(key) || typeof left !== "object" || left === null) return null;
  return ((left as { readonly sandbox?: unknown }).sandbox ?? null) as RecordedBundle | null;
}

export function needed(sandboxes: Sandboxes | null, { id }: TaskLeaf): Sandboxes {
  if (sandboxes) return sandboxes;
  throw new SmoothError(
    "SANDBOX_UNAVAILABLE",
    `sandbox ${id}: whoever runs this workflow gives it no sandboxes; give the run \`sandboxes\`, and put a sandbox outside of sandboxes`,
    { details: { failureRetryable: false } },
  );
}

/** For children that stand in the workflow itself: they read what is recorded around them. */
export const surroundingsOf = ({
  workflow,
  origin,
  rows,
  state,
}: Pick<LoopInput, "workflow" | "origin" | "rows" | "state">): SandboxSurroundings => ({
  workflow,
  input: origin.input,
  rows: workflow.registry.tables.flatMap(({ name }) =>
    rows.entries(name).map(({ nodeId, iteration, row }) => ({ table: name, nodeId, iteration, row: rowToJson(row) })),
  ),
  loops: [...state.loops],
});

/** Q2. Who decides sees the patch. */
export function openReview({ nodeId, iteration, label }: TaskLeaf, bundle: SandboxBundle, workflow: string): Opened {
  const { files, patch, runtime, level } = bundle;
  const title = `Write ${files.length} changed ${files.length === 1 ? "file" : "files"} of sandbox ${label} (${runtime}, ${level})`;
  const paths = files.map(({ path }) => path);
  const summary = `It changed ${paths.slice(0, 20).join(", ")}${paths.length > 20 ? ", …" : ""}`;
  const request = { title, summary, metadata: { patch, paths } };
  return {
    approvals: [{ nodeId, iteration, request, mode: "approve", workflow, decided: null }],
    events: [{ type: "approval.opened", nodeId, iteration, title, dueMs: null, again: 0 }],
  };
}
