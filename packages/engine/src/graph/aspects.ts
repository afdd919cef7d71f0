/** Reads an Aspects element: its budgets over those of the Aspects around it, one by one. */
import { lazily } from "@smooth/protocol/lazily";
import { z } from "zod";
import type { HostElement } from "../render/renderer.ts";
import type { Aspects } from "../schedule/budget.ts";
import { badProp, onlyKnown } from "./props.ts";

const Budgets = lazily(() => {
  const amount = z.number().nonnegative();
  const onExceeded = z.enum(["fail", "warn", "skip-remaining"]).default("fail");
  const on = z.boolean().default(true);
  return {
    tokens: z.strictObject({ max: amount, perTask: amount.optional(), onExceeded }),
    latency: z.strictObject({
      maxMs: amount,
      perTask: amount.optional(),
      onExceeded: z.enum(["fail", "warn"]).default("fail"),
    }),
    cost: z.strictObject({ maxUsd: amount, onExceeded }),
    tracking: z.strictObject({ tokens: on, latency: on, cost: on }),
  };
});

const NONE: Aspects = {
  tokens: null,
  latency: null,
  cost: null,
  tracking: { tokens: true, latency: true, cost: true },
};

export function readAspects(element: HostElement, outer: Aspects | null): Aspects {
  onlyKnown(element, ["tokenBudget", "latencySlo", "costBudget", "tracking"]);
  const tokens = given(element, "tokenBudget", Budgets().tokens);
  const latency = given(element, "latencySlo", Budgets().latency);
  const cost = given(element, "costBudget", Budgets().cost);
  return {
    ...(outer ?? NONE),
    ...(tokens ? { tokens: { ...tokens, perTask: tokens.perTask ?? null } } : {}),
    ...(latency ? { latency: { ...latency, max: latency.maxMs, perTask: latency.perTask ?? null } } : {}),
    ...(cost ? { cost: { ...cost, max: cost.maxUsd, perTask: null } } : {}),
    ...(element.props["tracking"] === undefined
      ? {}
      : { tracking: given(element, "tracking", Budgets().tracking) ?? NONE.tracking }),
  };
}

function given<S extends z.ZodType>(element: HostElement, name: string, schema: S): z.output<S> | undefined {
  const value = element.props[name];
  if (value === undefined) return undefined;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw badProp(element, name, z.prettifyError(parsed.error).replaceAll("\n", " "));
}
