import type { Ask } from "@smooth/protocol/asks";
import { AskId, RunId } from "@smooth/protocol/ids";
import { emptyRunView, type RunView } from "@smooth/protocol/run-view";
import type { ReactNode } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { AskCard } from "./ask-card.tsx";
import { RunPage } from "./run-page.tsx";
import { ago, cost, within } from "./status.tsx";

const NOW_MS = 1_800_000_000_000;
const RUN = RunId.parse("run-00000001");
const pending: Extract<Ask, { status: "pending" }> = {
  id: AskId.parse("ask-00000001"),
  version: 1,
  runId: RUN,
  pearlId: null,
  subject: { kind: "network", host: "docs.example.com", port: 443, method: "GET", path: "/clock" },
  question: "Let the operator read docs.example.com?",
  reason: "no rule names it",
  risk: "medium",
  actionHash: "a".repeat(64),
  openedAtMs: NOW_MS - 60_000,
  expiresAtMs: NOW_MS + 600_000,
  status: "pending",
};
const decide = (): Promise<void> => Promise.resolve();
const actions = { steer: decide, pause: decide, unpause: decide, cancel: decide };
/** What a reader reads. */
const words = (node: ReactNode): string =>
  renderToStaticMarkup(node)
    .replaceAll(/<[^>]+>/g, " ")
    .replaceAll(/\s+/g, " ");
const viewWith = (change: Partial<RunView>): RunView => ({ ...emptyRunView(RUN), ...change });

test("an ask shows the exact action, why, the risk, the rule a yes creates and when it ends", () => {
  const text = words(<AskCard ask={pending} nowMs={NOW_MS} decide={decide} />);

  for (const part of [
    "GET docs.example.com:443/clock",
    "no rule names it",
    "medium risk",
    "Creates no rule",
    "Expires in 10 min",
    "Approve",
    "Deny",
  ]) {
    expect(text).toContain(part);
  }
});

test("an approval that offers options shows them with its patch; an order stands as it is offered, one of several is not chosen", () => {
  const options = [
    { key: "a", label: "Blue", summary: "calm" },
    { key: "b", label: "Green" },
  ];
  const asking = (mode: "select" | "rank"): string => {
    const choice = { mode, options };
    const subject = {
      kind: "approval",
      nodeId: "n",
      iteration: 0,
      title: "Which?",
      patch: "+new line",
      choice,
    } as const;
    return renderToStaticMarkup(<AskCard ask={{ ...pending, subject }} nowMs={NOW_MS} decide={decide} />);
  };
  const approve = /<button[^>]*?(disabled="")?[^>]*>Approve/;

  for (const part of ["+new line", "Choose one", "Blue", "calm", "Green"]) expect(asking("select")).toContain(part);
  expect(approve.exec(asking("select"))?.[0]).toContain('disabled=""');
  expect(asking("rank")).toContain("Move Green up");
  expect(approve.exec(asking("rank"))?.[0]).not.toContain('disabled=""');
});

test("who may not decide is offered nothing to press", () => {
  const text = words(<AskCard ask={pending} nowMs={NOW_MS} />);

  expect(text).not.toMatch(/Approve|Deny/);
  expect(text).toContain("An approver or the owner decides this.");
});

test("a decision under way is not offered twice", () => {
  const text = words(<AskCard ask={pending} nowMs={NOW_MS} decide={decide} decidingBy="ada" />);

  expect(text).not.toContain("Deny");
  expect(text).toContain("Decided by ada");
});

test("A3: decided, expired and withdrawn asks say what became of them", () => {
  const { status: _, ...base } = pending;
  const closed: Ask[] = [
    { ...base, status: "decided", decision: { verdict: "deny" }, decidedBy: "eve", decidedAtMs: 1 },
    { ...base, status: "expired", expiredAtMs: 1 },
    { ...base, status: "void", voidReason: "the run ended", voidAtMs: 1 },
  ];

  const texts = closed.map((ask) => words(<AskCard ask={ask} nowMs={NOW_MS} decide={decide} />));

  expect(texts[0]).toContain("Denied by eve");
  expect(texts[1]).toContain("Expired without an answer");
  expect(texts[2]).toContain("Withdrawn: the run ended");
  expect(texts.join()).not.toContain("Approve ");
});

test("a run puts what waits for the reader above its transcript", () => {
  const view = viewWith({
    status: "waiting",
    asks: [pending],
    transcript: [{ kind: "note", id: "n", text: "a long way down", atMs: 1 }],
  });

  const text = words(<RunPage view={view} nowMs={NOW_MS} decide={decide} />);

  expect(text.indexOf("Approve")).toBeGreaterThan(0);
  expect(text.indexOf("Approve")).toBeLessThan(text.indexOf("Transcript"));
});

test("a run that is over cannot be steered, paused or cancelled", () => {
  const over = words(<RunPage view={viewWith({ status: "failed" })} nowMs={NOW_MS} actions={actions} />);
  const live = words(<RunPage view={viewWith({ status: "running" })} nowMs={NOW_MS} actions={actions} />);

  expect(over).not.toMatch(/Pause|Cancel run/);
  expect(live).toMatch(/Pause.*Cancel run/);
});

test("DEMO and weak isolation are said", () => {
  const text = words(
    <RunPage view={viewWith({ demo: true, sandbox: { driver: "none", level: "process" } })} nowMs={NOW_MS} />,
  );

  expect(text).toContain("DEMO model");
  expect(text).toContain("no isolation");
});

test("unpriced is not $0", () => {
  expect(cost(null, 3)).toBe("3 unpriced calls");
  expect(cost(0.5, 1)).toBe("$0.50 + 1 unpriced call");
  expect(cost(0, 0)).toBe("$0.0000");
});

test("times read well at every distance", () => {
  expect([0, 30_000, 120_000, 7_200_000, 200_000_000].map(ago)).toEqual([
    "now",
    "30 s ago",
    "2 min ago",
    "2 h ago",
    "2 d ago",
  ]);
  expect([5_000, 600_000, 7_200_000].map(within)).toEqual(["5 s", "10 min", "2 h"]);
});
