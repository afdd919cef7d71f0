import { expect, test } from "vitest";
import type { RunEventBody } from "../run/events.ts";
import { dueAlerts, foldAlert, noFacts } from "./decide.ts";
import { alertRules } from "./policy.ts";

const asking = { nodeId: "alert:run-quiet:run", iteration: 0 } as const;
const opened = { type: "approval.opened", ...asking, title: "Go on?", dueMs: null, again: 0 } as const;

test.each<[string, number, RunEventBody]>([
  ["the question of the alert", 0, opened],
  ["the pause of the alert", 0, { type: "run.pause-requested", by: "alert:run-quiet" }],
  ["a person who goes on", 1, { type: "run.unpaused", by: "ann" }],
])("A1: after an alert about a quiet run and %s come %i more alerts", (_, more, event) => {
  const rules = alertRules({ rules: { "run-quiet": { afterMs: 1_000 } } });
  const facts = noFacts();
  const [rule] = rules;
  foldAlert(facts, { type: "run.unpaused", by: "ann", runId: "r", seq: 1, atMs: 0 });
  const { holding } = dueAlerts(rules, facts, 1_000).due[0] ?? {};
  const raised = { ...rule, type: "alert.raised", alert: "run-quiet", subject: holding?.subject, message: "" };
  foldAlert(facts, { ...raised, runId: "r", seq: 2, atMs: 1_000 } as never);

  foldAlert(facts, { ...event, runId: "r", seq: 3, atMs: 1_001 });

  expect(dueAlerts(rules, facts, 60_000).due).toHaveLength(more);
});
