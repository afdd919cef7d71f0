/** Frame N of a run is its tree after event N: every seq is a frame, and a cut through the run that can be looked at or forked from.
 *  The tree comes from the recorded deltas, states and iterations from the fold that the live run uses. */
import { SmoothError } from "@smooth/protocol/errors";
import { resolveRef, stateKey, type LoopChain } from "../graph/identity.ts";
import { applyEvent, emptyState, type NodeState, type RunState } from "../run/state.ts";
import type { StoredEvent } from "../run/events.ts";
import type { RunStore } from "../store/port.ts";
import { treeAfter } from "./frame-log.ts";
import { ROOT, type Holds, type Tree } from "./tree.ts";

export interface FrameNode {
  readonly id: string;
  /** workflow, sequence, parallel, loop, try, saga, or what kind of leaf it is. */
  readonly kind: string;
  readonly label: string;
  readonly nodeId: string;
  /** Of a loop: its own; of a leaf: that of the loop around it. */
  readonly iteration: number;
  /** Null where a node has no state of its own: groups, loops and scopes. */
  readonly state: NodeState["kind"] | "pending" | null;
  readonly holds?: Holds;
  readonly children: readonly FrameNode[];
}

export interface Frame {
  readonly runId: string;
  readonly seq: number;
  readonly atMs: number;
  readonly root: FrameNode;
}

/** Without a seq, the newest. Throws RUN_NOT_FOUND, and INVALID_INPUT for a seq the run has not reached. */
export async function readFrame(store: RunStore, runId: string, seq?: number): Promise<Frame> {
  const run = await store.run(runId);
  if (!run) throw new SmoothError("RUN_NOT_FOUND", `no run ${runId}`, { details: { runId } });
  const at = seq ?? run.lastSeq;
  if (!Number.isInteger(at) || at < 1 || at > run.lastSeq)
    throw new SmoothError("INVALID_INPUT", `run ${runId} has the frames 1 to ${run.lastSeq}, not ${at}`, {
      details: { runId, seq: at },
    });
  const [rows, events] = await Promise.all([store.frames(runId, at), store.events(runId, 0, at)]);
  return frameOf(treeAfter(rows), events);
}

/** The frame after the last of these events, which start with the run's first. */
export function frameOf(tree: Tree, events: readonly StoredEvent[]): Frame {
  const last = events.at(-1);
  if (!last) throw new SmoothError("INVALID_INPUT", "a frame needs the events before it");
  const state = emptyState();
  for (const event of events) applyEvent(state, event);
  return { runId: last.runId, seq: last.seq, atMs: last.atMs, root: rootOf(tree, state) };
}

/** The tree with the states its nodes have. */
export const rootOf = (tree: Tree, state: RunState): FrameNode => nest({ tree, state, next: siblings(tree) }, ROOT, []);

interface Walk {
  readonly tree: Tree;
  readonly state: RunState;
  readonly next: ReadonlyMap<string, string>;
}

const placeOf = (parent: string, after: string | null): string => JSON.stringify([parent, after]);

const siblings = (tree: Tree): ReadonlyMap<string, string> =>
  new Map([...tree].map(([id, [, parent, after]]) => [placeOf(parent, after), id]));

function nest(walk: Walk, id: string, chain: LoopChain): FrameNode {
  const [kind, , , label = id, holds] = walk.tree.get(id) ?? ["workflow", "", null];
  const within = kind === "loop" ? [...chain, id] : chain;
  const children: FrameNode[] = [];
  for (let child = walk.next.get(placeOf(id, null)); child !== undefined; child = walk.next.get(placeOf(id, child)))
    children.push(nest(walk, child, within));
  const { nodeId } = resolveRef(id, chain, walk.state.loops);
  const { iteration } = resolveRef(id, within, walk.state.loops);
  const own = walk.state.nodes.get(stateKey({ nodeId, iteration }))?.kind;
  const state = GROUPS.has(kind) ? null : (own ?? "pending");
  return { id, kind, label, nodeId, iteration, state, ...(holds ? { holds } : {}), children };
}

const GROUPS = new Set(["workflow", "sequence", "parallel", "loop", "try", "saga", "continue"]);
