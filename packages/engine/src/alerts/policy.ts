/** A workflow's alert policy, as its author writes it, and the rules it comes down to. */
import { SmoothError } from "@smooth/protocol/errors";
import { lazily } from "@smooth/protocol/lazily";
import { z } from "zod";

/** What can be alerted about. The conditions of a node hold for each node apart.
 *  `task-running`, `task-retrying`, `approval-waiting`, `run-quiet` (nothing happens) are about time: give them an `afterMs`. */
export const ALERT_CONDITIONS = [
  "task-running",
  "task-retrying",
  "task-failed",
  "approval-waiting",
  "run-quiet",
  "run-failed",
] as const;
export type AlertCondition = (typeof ALERT_CONDITIONS)[number];

const Severity = lazily(() => z.enum(["info", "warning", "critical"]));
const Labels = lazily(() => z.record(z.string(), z.string()));
const Defaults = lazily(() =>
  z.strictObject({
    owner: z.string().optional(),
    severity: Severity().optional(),
    runbook: z.string().optional(),
    labels: Labels().optional(),
  }),
);
export const AlertReaction = lazily(() =>
  z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("emit-only") }),
    z.strictObject({ kind: z.literal("pause") }),
    z.strictObject({ kind: z.literal("cancel") }),
    /** Asks a person whether the run may go on; a denial cancels it. */
    z.strictObject({ kind: z.literal("open-approval") }),
    z.strictObject({ kind: z.literal("deliver"), destination: z.string().min(1) }),
  ]),
);
const Rule = lazily(() =>
  z.strictObject({
    ...Defaults().shape,
    /** Default: the rule's own name. */
    when: z.enum(ALERT_CONDITIONS).optional(),
    /** The condition must have held for so long. Default 0. */
    afterMs: z.number().nonnegative().optional(),
    /** Raised again while the condition holds, and again after it came back, at most so often. Without it: once each time it begins to hold. */
    cooldownMs: z.number().positive().optional(),
    /** One of `reactions` by name, or the reaction itself. Default: emit-only. */
    reaction: z.union([z.string(), AlertReaction()]).optional(),
  }),
);
const Policy = lazily(() =>
  z.strictObject({
    defaults: Defaults().optional(),
    rules: z.record(z.string(), Rule()).optional(),
    reactions: z.record(z.string(), AlertReaction()).optional(),
  }),
);

export type SmithersAlertPolicy = z.input<ReturnType<typeof Policy>>;
export type SmithersAlertPolicyRule = z.input<ReturnType<typeof Rule>>;
export type SmithersAlertPolicyDefaults = z.input<ReturnType<typeof Defaults>>;
export type SmithersAlertReaction = z.output<ReturnType<typeof AlertReaction>>;
export type SmithersAlertSeverity = z.output<ReturnType<typeof Severity>>;
export type SmithersAlertLabels = z.output<ReturnType<typeof Labels>>;

export interface AlertRule {
  readonly name: string;
  readonly when: AlertCondition;
  readonly afterMs: number;
  readonly cooldownMs: number | null;
  readonly severity: SmithersAlertSeverity;
  readonly owner: string | null;
  readonly runbook: string | null;
  readonly labels: SmithersAlertLabels;
  readonly reaction: SmithersAlertReaction;
}

/** Throws INVALID_INPUT that names the rule. */
export function alertRules(policy: SmithersAlertPolicy): AlertRule[] {
  const parsed = Policy().safeParse(policy);
  if (!parsed.success) throw wrong(z.prettifyError(parsed.error));
  const { defaults = {}, rules = {}, reactions = {} } = parsed.data;
  const named = new Map(Object.entries(reactions));
  return Object.entries(rules).map(([name, rule]) => {
    const when = rule.when ?? ALERT_CONDITIONS.find((condition) => condition === name);
    if (!when) throw wrong(`rule ${name} needs \`when\`, one of ${ALERT_CONDITIONS.join(", ")}`);
    if (when === "run-quiet" && !rule.afterMs)
      throw wrong(`rule ${name} needs \`afterMs\`: every run is quiet for a moment`);
    const reaction = typeof rule.reaction === "string" ? named.get(rule.reaction) : rule.reaction;
    if (typeof rule.reaction === "string" && !reaction)
      throw wrong(`rule ${name} names the reaction ${rule.reaction}, which is not there`);
    return {
      name,
      when,
      afterMs: rule.afterMs ?? 0,
      cooldownMs: rule.cooldownMs ?? null,
      severity: rule.severity ?? defaults.severity ?? "warning",
      owner: rule.owner ?? defaults.owner ?? null,
      runbook: rule.runbook ?? defaults.runbook ?? null,
      labels: { ...defaults.labels, ...rule.labels },
      reaction: reaction ?? { kind: "emit-only" },
    };
  });
}

const wrong = (what: string): SmoothError =>
  new SmoothError("INVALID_INPUT", `the alertPolicy cannot be used: ${what}`);
