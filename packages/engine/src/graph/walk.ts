/** What the readers of elements share while one frame is turned into a plan. */
import { SmoothError } from "@smooth/protocol/errors";
import type { OutputRegistry } from "../outputs/registry.ts";
import type { HostElement, HostNode } from "../render/renderer.ts";
import type { LoopChain, LoopIterations } from "./identity.ts";
import type { DraftLeaf } from "./leaves/common.ts";
import type { PlanGroup, PlanLeaf, PlanNode, ScopePart, WorktreeSpec } from "./plan.ts";
import type { Aspects } from "../schedule/budget.ts";
import { anId, componentName, optional } from "./props.ts";

export interface ExtractInput {
  readonly nodes: readonly HostNode[];
  readonly registry: OutputRegistry;
  readonly loops: LoopIterations;
  /** Chains of ids seen in earlier frames, for dependencies on nodes that have left the tree. */
  readonly known: ReadonlyMap<string, LoopChain>;
  /** What the leaves of this very tree were read as before. */
  readonly read?: Map<HostElement, DraftLeaf> | undefined;
}

/** Where an element stands: the loops and the scope around it, and its position in the tree (for what has no id). */
export interface Place {
  readonly chain: LoopChain;
  readonly within: ScopePart | null;
  readonly worktree: WorktreeSpec | null;
  readonly aspects: Aspects | null;
  readonly path: string;
  /** Directly inside a saga: where its steps put their compensations. */
  readonly saga?: SagaPlace;
}

interface SagaPlace {
  readonly steps: Set<string>;
  readonly compensations: PlanNode[];
  readonly place: Place;
}

export interface Walk extends ExtractInput {
  readonly chains: Map<string, LoopChain>;
  readonly leaves: Map<string, PlanLeaf>;
  readonly handles: Map<object, string>;
  readonly drafts: DraftLeaf[];
  readonly warnings: string[];
  /** Reads what stands below an element. */
  readonly into: (nodes: readonly HostNode[], place: Place) => PlanNode[];
}

export const group = (kind: PlanGroup["kind"], cap: number, members: readonly PlanNode[]): PlanGroup => ({
  kind,
  cap,
  children: members,
});

export const sequence = (members: readonly PlanNode[]): PlanGroup => group("sequence", Infinity, members);

export function unique(id: string, chain: LoopChain, walk: Walk): void {
  if (walk.chains.has(id))
    throw new SmoothError(
      "DUPLICATE_ID",
      `two elements of this frame have the id ${JSON.stringify(id)}; ids must be unique`,
      { details: { id } },
    ); // X1
  walk.chains.set(id, chain);
}

/** The id of an element that may go without one: then it is called after its place, with a warning. */
export function idOrPlace(element: HostElement, { chain, path }: Place, walk: Walk): string {
  const id = optional(element, "id", anId) ?? named(element, path, walk);
  unique(id, chain, walk);
  return id;
}

function named(element: HostElement, path: string, walk: Walk): string {
  const name = componentName(element.tag);
  const id = `${name.toLowerCase()}-${path}`;
  walk.warnings.push(
    `a <${name}> without an id is called ${id} after its place; give it an id so that edits cannot move it`,
  );
  return id;
}
