/** What every leaf of the plan has, whatever it does or waits for. */
import { z } from "zod";
import type { OutputRegistry } from "../../outputs/registry.ts";
import type { OutputTable } from "../../outputs/table.ts";
import type { HostElement } from "../../render/renderer.ts";
import type { Aspects } from "../../schedule/budget.ts";
import { resolveRef, stateKey, type LoopChain, type LoopIterations } from "../identity.ts";
import type { LeafBase, PlanLeaf, ScopePart, WorktreeSpec } from "../plan.ts";
import {
  aBoolean,
  aJsonRecord,
  anId,
  aString,
  badProp,
  elementName,
  optional,
  strings,
  stringsByName,
} from "../props.ts";

export interface LeafScope {
  readonly registry: OutputRegistry;
  readonly chain: LoopChain;
  readonly within: ScopePart | null;
  readonly worktree: WorktreeSpec | null;
  readonly aspects: Aspects | null;
  readonly loops: LoopIterations;
}

/** Edges, and the keys of deps, are still local ids here; `extract` resolves them when the whole frame is known. */
export interface DraftLeaf {
  readonly leaf: PlanLeaf;
  readonly edges: readonly string[];
}

/** The props that `readPlace` (and `edgesOf`), or `readCommon`, read. */
export const PLACE_PROPS = ["id", "dependsOn", "needs", "skipIf", "label", "meta"];
export const COMMON_PROPS = [...PLACE_PROPS, "output", "outputSchema", "continueOnFail"];

/** A leaf that records a row. */
export function readCommon(element: HostElement, scope: LeafScope): LeafBase & { readonly output: OutputTable } {
  const output = scope.registry.find(element.props["output"], () => `${elementName(element)} prop \`output\``);
  const own = optional(element, "outputSchema", anObjectSchema);
  return Object.assign(readPlace(element, scope), { output: own ? { ...output, schema: own } : output });
}

const anObjectSchema = {
  test: (value: unknown): value is z.ZodObject => value instanceof z.ZodObject,
  wanted: "a zod object schema",
};

/** Any leaf: its id, and what it depends on. */
export function readPlace(element: HostElement, scope: LeafScope): LeafBase {
  const id = optional(element, "id", anId);
  if (id === undefined) throw badProp(element, "id", anId.wanted);
  return {
    ...placeOf(id, scope),
    kind: "leaf",
    id,
    after: NOBODY,
    skipIf: optional(element, "skipIf", aBoolean) ?? false,
    continueOnFail: optional(element, "continueOnFail", aBoolean) ?? false,
    label: optional(element, "label", aString) ?? id,
    meta: optional(element, "meta", aJsonRecord) ?? NO_META,
    async: false,
  };
}

/** What most leaves say nothing about is the same for all of them: a run keeps its leaves for as long as it lives. */
const NOBODY: LeafBase["after"] = [];
const NO_META: LeafBase["meta"] = {};

type LeafPlace = Pick<LeafBase, "nodeId" | "iteration" | "key" | "chain" | "within" | "worktree" | "aspects">;

function placeOf(id: string, { chain, within, worktree, aspects, loops }: LeafScope): LeafPlace {
  const ref = resolveRef(id, chain, loops);
  const { nodeId, iteration } = ref;
  return { nodeId, iteration, key: stateKey(ref), chain, within, worktree, aspects };
}

/** The same leaf, where it stands now. */
export const placed = (leaf: PlanLeaf, scope: LeafScope): PlanLeaf => ({ ...leaf, ...placeOf(leaf.id, scope) });

/** `needs`: name in `deps` → node id. */
export const aliases = (element: HostElement): Readonly<Record<string, string>> =>
  optional(element, "needs", stringsByName) ?? NO_NEEDS;

const NO_NEEDS: Readonly<Record<string, string>> = {};

export function edgesOf(element: HostElement, needs: Readonly<Record<string, string>>): readonly string[] {
  const before = optional(element, "dependsOn", strings) ?? NOBODY;
  return needs === NO_NEEDS ? before : [...before, ...Object.values(needs)];
}
