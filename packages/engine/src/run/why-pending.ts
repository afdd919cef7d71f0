/** Why nodes that nothing keeps waiting do not start: read from the frame that shows now. Pure.
 *  V2. Only a node whose turn has come is told of: what stands later in a sequence waits for its turn and needs no reason. */
import { stateKey } from "../graph/identity.ts";
import type { FrameNode } from "../frames/frame.ts";

export interface Pending {
  readonly kind: "dependency" | "place";
  readonly node: FrameNode;
  readonly text: string;
}

/** State keys of what the frame shows: what has left it holds nothing up. */
export function shownKeys(frame: FrameNode): ReadonlySet<string> {
  return new Set(leavesOf(frame).map(stateKey));
}

/** `working`: bodies are at work, so that what has no place only needs to wait for one. */
export function pendingIn(frame: FrameNode, working: boolean): readonly Pending[] {
  const byId = new Map(leavesOf(frame).map((leaf) => [leaf.id, leaf]));
  const reached: { readonly leaf: FrameNode; readonly group: FrameNode }[] = [];
  reach(frame, frame, (leaf, group) => reached.push({ leaf, group }));
  return reached.flatMap(({ leaf, group }): Pending[] => {
    const unmet = (leaf.holds?.needs ?? []).filter((id) => byId.get(id)?.state !== "finished");
    if (unmet.length > 0) {
      const said = unmet.map((id) => `${id} (${byId.get(id)?.state ?? "not in the frame"})`);
      return [{ kind: "dependency", node: leaf, text: `waits for ${said.join(", ")}` }];
    }
    return working ? [{ kind: "place", node: leaf, text: placeText(group) }] : [];
  });
}

function placeText(group: FrameNode): string {
  const cap = group.holds?.cap;
  const running = leavesOf(group).filter(({ state }) => state === "running").length;
  return cap !== undefined && running >= cap
    ? `waits for a place: its ${group.kind} group runs ${cap} at a time`
    : "waits for a place: the run has as many bodies at work as it may";
}

const leavesOf = (node: FrameNode): readonly FrameNode[] =>
  node.state === null ? node.children.flatMap(leavesOf) : [node];

/** Finds the pending leaves whose turn has come, and says whether this node is done. `group`: whose cap governs. */
function reach(node: FrameNode, group: FrameNode, found: (leaf: FrameNode, group: FrameNode) => void): boolean {
  const { state, kind, children } = node;
  if (state === "pending") return (found(node, group), false);
  if (state !== null) return DONE.has(state) || node.holds?.async === true;
  if (kind === "parallel" || kind === "loop")
    return children.map((child) => reach(child, node, found)).every((isDone) => isDone);
  // In turn: the first that is not done ends it.
  return children.every((child) => (isScope(kind) && isGivenUp(child)) || reach(child, group, found));
}

const isScope = (kind: string): boolean => kind === "try" || kind === "saga";
/** A part of a scope in which something failed starts nothing more. */
const isGivenUp = (part: FrameNode): boolean =>
  leavesOf(part).some(({ state }) => state === "failed" || state === "cancelled");

const DONE: ReadonlySet<string> = new Set(["finished", "skipped", "failed", "cancelled"]);
