/** The difference between two frames, of one run or of two (a fork and its source): nodes and their outputs. */
import { refOf, stateKey, type NodeRef } from "../graph/identity.ts";
import { readFrame, type FrameNode } from "../frames/frame.ts";
import { decodeRow, type Row } from "../outputs/table.ts";
import type { WorkflowDefinition } from "../render/workflow.ts";
import type { OutputCells, RunStore } from "../store/port.ts";
import { recordedAt, runOf } from "./history.ts";

export interface SnapshotRef {
  readonly runId: string;
  /** Default: the newest frame. */
  readonly seq?: number | undefined;
}

export interface SnapshotDiff {
  readonly added: readonly NodeRef[];
  readonly removed: readonly NodeRef[];
  readonly changed: readonly (NodeRef & { readonly before: string; readonly after: string })[];
  readonly outputs: readonly (NodeRef & {
    readonly output: string;
    readonly before: Row | null;
    readonly after: Row | null;
  })[];
}

interface Sources {
  readonly store: RunStore;
  readonly workflow: WorkflowDefinition;
}

/** Throws RUN_NOT_FOUND, SNAPSHOT_NOT_FOUND. */
export async function compareSnapshots(deps: Sources, a: SnapshotRef, b: SnapshotRef): Promise<SnapshotDiff> {
  const [before, after] = await Promise.all([snapshot(deps, a), snapshot(deps, b)]);
  const both = [...before.nodes].flatMap(([key, node]) => {
    const other = after.nodes.get(key);
    return other && other.state !== node.state ? [{ ...refOf(node), before: node.state, after: other.state }] : [];
  });
  return {
    added: [...after.nodes].flatMap(([key, node]) => (before.nodes.has(key) ? [] : [refOf(node)])),
    removed: [...before.nodes].flatMap(([key, node]) => (after.nodes.has(key) ? [] : [refOf(node)])),
    changed: both,
    outputs: outputDiff(before.outputs, after.outputs),
  };
}

interface Leaf extends NodeRef {
  readonly state: string;
}

async function snapshot(deps: Sources, { runId, seq }: SnapshotRef) {
  const { store } = deps;
  const run = await runOf(store, runId);
  const at = seq ?? run.lastSeq;
  const { cells } = await recordedAt(deps, run, at);
  const { root } = await readFrame(store, runId, at);
  return {
    nodes: new Map(leavesOf(root).map((leaf) => [stateKey(leaf), leaf])),
    outputs: new Map(cells.map((output) => [stateKey(output), output])),
  };
}

/** Groups have no state of their own. */
const leavesOf = ({ nodeId, iteration, state, children }: FrameNode): readonly Leaf[] => [
  ...(state === null ? [] : [{ nodeId, iteration, state }]),
  ...children.flatMap(leavesOf),
];

type Outputs = ReadonlyMap<string, OutputCells>;

function outputDiff(before: Outputs, after: Outputs): SnapshotDiff["outputs"] {
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((key) => {
    const [old, now] = [before.get(key), after.get(key)];
    const either = old ?? now;
    if (!either || JSON.stringify(old?.cells) === JSON.stringify(now?.cells)) return [];
    return [{ ...refOf(either), output: either.table.name, before: rowOf(old), after: rowOf(now) }];
  });
}

const rowOf = (output: OutputCells | undefined): Row | null => (output ? decodeRow(output.table, output.cells) : null);
