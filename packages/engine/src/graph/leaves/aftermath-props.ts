/** Reads what a Task wants done around its body: `scorers` and `memory`. */
import { lazily } from "@smooth/protocol/lazily";
import { checkCount } from "@smooth/protocol/numbers";
import { z } from "zod";
import { parseNamespace } from "../../memory/namespace.ts";
import type { TaskMemoryConfig } from "../../memory/recall.ts";
import type { HostElement } from "../../render/renderer.ts";
import type { ScorersMap } from "../../scorers/scorer.ts";
import { aRecord, badProp, elementName, optional } from "../props.ts";

const Sampling = lazily(() =>
  z.discriminatedUnion("type", [
    z.strictObject({ type: z.literal("all") }),
    z.strictObject({ type: z.literal("ratio"), rate: z.number().min(0).max(1) }),
    z.strictObject({ type: z.literal("none") }),
  ]),
);
const isFunction = lazily(() => z.custom((value) => typeof value === "function"));
const Binding = lazily(() =>
  z.strictObject({
    scorer: z.looseObject({ id: z.string(), name: z.string(), description: z.string(), score: isFunction() }),
    sampling: Sampling().optional(),
    groundTruth: z.unknown().optional(),
    context: z.unknown().optional(),
  }),
);

const NO_SCORERS: ScorersMap = {};

export function readScorers(element: HostElement): ScorersMap {
  const scorers = optional(element, "scorers", aRecord);
  if (!scorers) return NO_SCORERS;
  for (const [name, binding] of Object.entries(scorers)) {
    const parsed = Binding().safeParse(binding);
    if (!parsed.success)
      throw badProp(element, "scorers", `{ name: { scorer, sampling?, groundTruth?, context? } } (at ${name})`);
  }
  return scorers as ScorersMap;
}

/** `{ kind, id }`, or both as text: "user:ann". */
const Namespace = lazily(() =>
  z.union([
    z.strictObject({ kind: z.enum(["workflow", "agent", "user", "global"]), id: z.string().min(1) }),
    z.string().transform(parseNamespace),
  ]),
);
const MemoryProp = lazily(() =>
  z.strictObject({
    recall: z
      .strictObject({
        namespace: Namespace().optional(),
        query: z.string().optional(),
        topK: z.int().positive().optional(),
      })
      .optional(),
    remember: z.strictObject({ namespace: Namespace().optional(), key: z.string().min(1).optional() }).optional(),
    threadId: z.string().min(1).optional(),
  }),
);

/** Named by itself: the whole prop would hide it, and JSON calls NaN null. */
function checkTopK(element: HostElement): void {
  const { recall } = aRecord.test(element.props["memory"]) ? element.props["memory"] : {};
  const topK = aRecord.test(recall) ? recall["topK"] : undefined;
  checkCount(`${elementName(element)} prop \`memory.recall.topK\``, topK as number | undefined);
}

/** Facts are recalled into a prompt, and a thread is an agent's: both need one. */
export function readMemory(element: HostElement, mode: "agent" | "compute" | "static"): TaskMemoryConfig | null {
  if (element.props["memory"] === undefined) return null;
  checkTopK(element);
  const parsed = MemoryProp().safeParse(element.props["memory"]);
  if (!parsed.success)
    throw badProp(
      element,
      "memory",
      "{ recall?: { namespace, query, topK }, remember?: { namespace, key }, threadId? }",
    );
  const { recall, threadId } = parsed.data;
  if (mode !== "agent" && (recall !== undefined || threadId !== undefined))
    throw badProp(element, "memory", "only { remember } on a task without an agent");
  return parsed.data as TaskMemoryConfig;
}
