/** Reads a Timer element into a leaf of the plan. */
import type { HostElement } from "../../render/renderer.ts";
import { parseDurationMs } from "../../schedule/duration.ts";
import type { TimerLeaf } from "../plan.ts";
import { badProp, onlyKnown } from "../props.ts";
import { aliases, edgesOf, PLACE_PROPS, readPlace, type DraftLeaf, type LeafScope } from "./common.ts";

export function readTimer(element: HostElement, scope: LeafScope): DraftLeaf {
  onlyKnown(element, [...PLACE_PROPS, "duration", "until", "every"]);
  const leaf: TimerLeaf = { ...readPlace(element, scope), type: "timer", when: readWhen(element) };
  return { leaf, edges: edgesOf(element, aliases(element)) };
}

function readWhen(element: HostElement): TimerLeaf["when"] {
  const given = ["duration", "until", "every"].filter((name) => element.props[name] !== undefined);
  const [name] = given;
  if (name === undefined || given.length > 1)
    throw badProp(element, given[1] ?? "duration", "given alone: a Timer has exactly one of duration, until and every");
  if (name === "until") return { kind: "at", ms: instant(element) };
  const text = element.props[name];
  const ms = typeof text === "string" ? parseDurationMs(text) : undefined;
  if (ms === undefined || (name === "every" && ms === 0))
    throw badProp(element, name, 'a duration like "500ms", "30s", "5m", "2h", "7d" or "2w"');
  return { kind: name === "every" ? "every" : "after", ms };
}

function instant(element: HostElement): number {
  const given = element.props["until"];
  const ms = given instanceof Date ? given.getTime() : typeof given === "string" ? Date.parse(given) : Number.NaN;
  if (Number.isNaN(ms)) throw badProp(element, "until", "a Date or an ISO 8601 text");
  return ms;
}
