/** How each example is played, and how it must end. */
import type { Play } from "./play.ts";

interface Example {
  readonly play?: Omit<Play, "name">;
  readonly expected: object;
}

const ends = (output: object): Example => ({ expected: { status: "finished", output } });

export const PLAYS: Readonly<Record<string, Example>> = {
  "approval-select": {
    play: { select: { plan: "index" } },
    expected: { status: "finished", ran: ["plan", "do-index"], output: { done: "index" } },
  },
  aspects: ends({ answered: 2 }),
  cache: ends({ calls: 1 }),
  "check-suite": ends({ ship: true, why: "2 of 3 checks passed; failed: spelling" }),
  "classify-and-route": ends({ handled: 2 }),
  "continue-as-new": ends({ pages: 3, found: 60 }),
  "content-pipeline": ends({ text: "Why, how.", words: 2 }),
  debate: ends({ verdict: "for" }),
  "drift-detector": ends({ alarm: "the API lost /orders" }),
  escalation: ends({ refunded: true }),
  "extract-prompt": ends({ slug: "triage", prompt: "Triage tickets, version 2.", score: 0.9 }),
  "gather-and-synthesize": ends({ report: "logs+metrics+code" }),
  hello: ends({ characters: 12 }),
  kanban: ends({ total: 3, completed: 3 }),
  "loop-until-scored": ends({ batch: 32 }),
  memory: { play: { runs: 2 }, expected: { status: "finished", output: { recalled: true } } },
  "merge-queue": ends({ merged: 3, alwaysAlone: true }),
  "needs-approval": ends({ notes: ["documented", "deployed"] }),
  optimizer: ends({ score: 1 }),
  panel: ends({ decision: "true", agree: 2 }),
  poller: ends({ looks: 3 }),
  "release-gate": { play: { deny: ["release"] }, expected: { status: "finished", ran: ["risk"] } },
  "review-loop": ends({ published: "On durable workflows. Example." }),
  "review-panel": ends({ text: "Steps, with an example." }),
  runbook: ends({ said: ["backed up", "migrated", "healthy"] }),
  saga: { expected: { status: "finished", ran: ["flight", "hotel", "undo-hotel", "undo-flight", "told"] } },
  sandbox: ends({ text: "# On steps\n" }),
  "sandbox-children": ends({ greeting: "Hello, Ann", network: false }),
  "scan-fix-verify": ends({ summary: "two issues fixed" }),
  scorers: ends({ summary: "It works offline." }),
  "scripted-agent": ends({ title: "On steps", words: 900 }),
  signal: {
    play: { signals: [{ name: "payment", payload: { amount: 12 } }] },
    expected: { status: "finished", output: { receipt: "12 €" } },
  },
  subflow: ends({ total: 7 }),
  supervisor: ends({ summary: "login with tests" }),
  timer: ends({ waited: true }),
  tools: ends({ text: "remember the tests", ticket: "T-1: tests" }),
  "super-smithers": {
    expected: {
      status: "finished",
      ran: ["super-smithers-read", "super-smithers-propose", "super-smithers-report"],
      output: { stage: "report" },
    },
  },
  "try-catch-finally": {
    expected: {
      status: "finished",
      ran: ["lock", "roll-back", "unlock"],
      output: { note: "rolled back: health check failed" },
    },
  },
  "human-task": {
    play: { answers: { review: { approved: true, severity: "low" } } },
    expected: { status: "finished", output: { status: "merged, low severity" } },
  },
  "wait-for-event": {
    play: { signals: [{ name: "pr-merged", payload: { sha: "c0ffee" } }] },
    expected: { status: "finished", output: { released: "c0ffee" } },
  },
  worktree: {
    play: { repository: true },
    expected: { status: "finished", output: { branches: ["try/bold", "try/small"], untouched: true } },
  },
};
