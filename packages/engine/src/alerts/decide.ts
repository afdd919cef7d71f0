/** Which alerts are due. Pure: what holds and what was raised is folded from the log, so a resumed run neither forgets nor repeats.
 *  A1. An alert is raised when its condition has held for `afterMs`, once per time it begins to hold; with a cooldown, at most that often. */
import { stateKey } from "../graph/identity.ts";
import type { StoredEvent } from "../run/events.ts";
import type { AlertCondition, AlertRule } from "./policy.ts";

/** A condition that holds now: of one node, or of the run. */
export interface Holding {
  readonly when: AlertCondition;
  /** State key of the node, or `run`. */
  readonly subject: string;
  readonly sinceMs: number;
  readonly message: string;
}

export interface AlertFacts {
  /** By condition and subject. */
  readonly holding: Map<string, Holding>;
  /** When each rule was last raised about each subject. */
  readonly raisedAtMs: Map<string, number>;
}

export const noFacts = (): AlertFacts => ({ holding: new Map(), raisedAtMs: new Map() });
export const alertKey = (name: string, subject: string): string => `${name} ${subject}`;

/** The node in whose name an alert asks, and who it is when it pauses: no alert is about it, and it is no end of a quiet. */
export const ASKING = "alert:";

const OF_A_NODE: readonly AlertCondition[] = ["task-running", "task-retrying", "task-failed", "approval-waiting"];

export function foldAlert(facts: AlertFacts, event: StoredEvent): void {
  const hold = (when: AlertCondition, subject: string, message: string): void =>
    void facts.holding.set(alertKey(when, subject), { when, subject, sinceMs: event.atMs, message });
  const settle = (key: string): void => OF_A_NODE.forEach((when) => facts.holding.delete(alertKey(when, key)));

  if (event.type === "alert.raised") return void facts.raisedAtMs.set(alertKey(event.alert, event.subject), event.atMs);
  if (event.type === "alert.reacted" || isByAlert(event)) return;
  hold("run-quiet", "run", "nothing has happened in the run");
  if (event.type === "run.status" && event.status !== "running") facts.holding.delete(alertKey("run-quiet", "run"));
  if (event.type === "run.status" && event.status === "failed")
    hold("run-failed", "run", event.error?.message ?? "the run failed");
  if (!("nodeId" in event) || event.nodeId.startsWith(ASKING)) return;
  const key = stateKey(event);
  if (SETTLES.has(event.type)) settle(key);
  if (event.type === "node.started") hold("task-running", key, `${key} is still running`);
  if (event.type === "approval.opened") hold("approval-waiting", key, `${key} waits for a decision: ${event.title}`);
  if (event.type !== "node.failed") return;
  const [when, what] =
    event.retryAtMs === null ? (["task-failed", ""] as const) : (["task-retrying", " and is tried again"] as const);
  hold(when, key, `${key} failed${what}: ${event.error.message}`);
}

/** What a person decides about its question is not. */
const isByAlert = (event: StoredEvent): boolean =>
  (event.type === "approval.opened" && event.nodeId.startsWith(ASKING)) ||
  (event.type === "run.pause-requested" && event.by.startsWith(ASKING));

/** What held of the node before holds no more. */
const SETTLES: ReadonlySet<string> = new Set([
  "node.started",
  "node.failed",
  "node.finished",
  "node.skipped",
  "node.cancelled",
  "approval.opened",
  "approval.decided",
]);

export interface DueAlert {
  readonly rule: AlertRule;
  readonly holding: Holding;
}

/** `dueMs`: when to look again although nothing happens; null: never. */
export function dueAlerts(
  rules: readonly AlertRule[],
  facts: AlertFacts,
  nowMs: number,
): { readonly due: readonly DueAlert[]; readonly dueMs: number | null } {
  const awaited = rules.flatMap((rule) =>
    [...facts.holding.values()]
      .filter(({ when }) => when === rule.when)
      .map((holding) => ({
        rule,
        holding,
        atMs: dueAtMs(rule, holding, facts.raisedAtMs.get(alertKey(rule.name, holding.subject))),
      })),
  );
  const later = awaited.map(({ atMs }) => atMs).filter((atMs) => atMs > nowMs && atMs < Infinity);
  return { due: awaited.filter(({ atMs }) => atMs <= nowMs), dueMs: later.length > 0 ? Math.min(...later) : null };
}

/** A1 */
function dueAtMs({ afterMs, cooldownMs }: AlertRule, { sinceMs }: Holding, raisedAtMs: number | undefined): number {
  if (raisedAtMs === undefined) return sinceMs + afterMs;
  if (cooldownMs !== null) return Math.max(sinceMs + afterMs, raisedAtMs + cooldownMs);
  return raisedAtMs >= sinceMs ? Infinity : sinceMs + afterMs;
}
