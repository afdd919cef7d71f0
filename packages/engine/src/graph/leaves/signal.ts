/** Reads a WaitForEvent element into a leaf of the plan. */
import { schemaOf } from "../../outputs/fit.ts";
import type { HostElement } from "../../render/renderer.ts";
import type { SignalLeaf } from "../plan.ts";
import { aBoolean, aDuration, aString, badProp, oneOf, onlyKnown, optional } from "../props.ts";
import { aliases, edgesOf, PLACE_PROPS, readCommon, type DraftLeaf, type LeafScope } from "./common.ts";

const WAIT_FOR_EVENT = [
  ...PLACE_PROPS,
  "event",
  "output",
  "outputSchema",
  "correlationId",
  "timeoutMs",
  "onTimeout",
  "async",
];

export function readSignal(element: HostElement, scope: LeafScope): DraftLeaf {
  onlyKnown(element, WAIT_FOR_EVENT);
  const event = optional(element, "event", aString);
  if (event === undefined) throw badProp(element, "event", "the name of a signal");
  const common = readCommon(element, scope);
  const leaf: SignalLeaf = {
    ...common,
    type: "signal",
    event,
    schema: schemaOf(common.output.schema),
    correlationId: optional(element, "correlationId", aString) ?? null,
    timeoutMs: optional(element, "timeoutMs", aDuration) ?? null,
    onTimeout: optional(element, "onTimeout", oneOf("fail", "skip", "continue")) ?? "fail",
    async: optional(element, "async", aBoolean) ?? false,
  };
  return { leaf, edges: edgesOf(element, aliases(element)) };
}
