/** Reads a HumanTask element into a leaf of the plan. */
import { schemaOf } from "../../outputs/fit.ts";
import { promptText } from "../../render/markdown.ts";
import type { HostElement } from "../../render/renderer.ts";
import type { HumanLeaf } from "../plan.ts";
import { aBoolean, aDuration, onlyKnown, optional } from "../props.ts";
import { aliases, COMMON_PROPS, edgesOf, readCommon, type DraftLeaf, type LeafScope } from "./common.ts";

export function readHuman(element: HostElement, scope: LeafScope): DraftLeaf {
  onlyKnown(element, [...COMMON_PROPS, "maxAttempts", "timeoutMs", "async"]);
  const common = readCommon(element, scope);
  const leaf: HumanLeaf = {
    ...common,
    type: "human",
    prompt: promptText(element.children),
    schema: schemaOf(common.output.schema),
    maxAttempts: optional(element, "maxAttempts", aCount) ?? 10,
    timeoutMs: optional(element, "timeoutMs", aDuration) ?? null,
    async: optional(element, "async", aBoolean) ?? false,
  };
  return { leaf, edges: edgesOf(element, aliases(element)) };
}

const aCount = {
  test: (value: unknown): value is number => Number.isInteger(value) && Number(value) > 0,
  wanted: "a whole number > 0",
};
