/** What may start, where a failure stops, what a budget allows. */
import type { GuardedFile } from "../guard.ts";
import { RULES, ENGINE } from "../rooms.ts";

export const SCHEDULING_GUARDS: readonly GuardedFile[] = [
  {
    file: `${ENGINE}/schedule/schedule.ts`,
    guards: [
      {
        id: "schedule D1 sequence",
        text: `if (child.phase !== "done") break;`,
        instead: `if (child.phase === "unreached") break;`,
        test: [`${ENGINE}/schedule/schedule.test.ts`, "a sequence starts its first leaf that is not terminal"],
      },
      {
        id: "schedule D1 dependencies",
        text: "if (unmet !== undefined) return this.#park(cell, unmet);",
        instead: "",
        test: [
          `${ENGINE}/schedule/schedule.test.ts`,
          "a leaf waits for its dependencies to finish; a failed one blocks it",
        ],
      },
      {
        id: "schedule D1 innermost cap",
        text: "if (cell.pool.running >= cell.pool.cap) {",
        instead: "if (cell.pool.running > cell.pool.cap) {",
        test: [
          `${ENGINE}/schedule/schedule.test.ts`,
          "the innermost Parallel's cap and the global cap both count what runs already",
        ],
      },
      {
        id: "schedule D1 global cap",
        text: "this.#running < this.#in.maxConcurrency",
        instead: "true",
        test: [
          `${ENGINE}/schedule/schedule.test.ts`,
          "the innermost Parallel's cap and the global cap both count what runs already",
        ],
      },
      {
        id: "schedule D2 continueOnFail",
        text: `if (state?.kind === "failed") return leaf.continueOnFail;`,
        instead: `if (state?.kind === "failed") return false;`,
        test: [`${ENGINE}/schedule/schedule.test.ts`, "D: keeping up to date gives what asking from scratch gives"],
      },
      {
        id: "schedule D2 async",
        text: "if (node.async && state !== undefined) this.#finish(cell); // D2",
        instead: "",
        test: [`${RULES}/approvals.test.tsx`, "an async approval does not hold back what comes after it"],
      },
      {
        id: "schedule D2 async task",
        text: `(cell && isLoose(cell.node) && cell.phase === "done")`,
        instead: "false",
        test: [
          `${RULES}/gates.test.tsx`,
          "with async, what comes after does not wait: neither for the answer nor for the task",
        ],
      },
      {
        id: "schedule D3",
        text: ".toSorted((a, b) => a.order - b.order)",
        instead: "",
        test: [
          `${ENGINE}/schedule/schedule.test.ts`,
          "D3: steps come in source order, whatever they are and whatever made them possible first",
        ],
      },
      {
        id: "schedule D4 cascade",
        text: `if (state?.kind === "skipped" && state.cascades)`,
        instead: "if (false)",
        test: [
          `${RULES}/approvals.test.tsx`,
          "the children of an Approval come after it: denied with onDeny %s they do not run",
        ],
      },
      {
        id: "schedule D4 named",
        text: "cells.map((cell) => ({ key: cell.node.key, dependency })),",
        instead: "[],",
        test: [
          `${ENGINE}/schedule/schedule.test.ts`,
          "a leaf waits for its dependencies to finish; a failed one blocks it",
        ],
      },
      {
        id: "schedule D5 drain",
        text: "if (!failed || [...this.#draining.values()].includes(cell)) return;",
        instead: "if (!failed) return;",
        test: [
          `${ENGINE}/schedule/schedule.test.ts`,
          "D5: a caught failure gives the body up; catch starts when its bodies have stopped, then finally",
        ],
      },
      {
        id: "schedule D5 rethrow",
        text: `if (handler.kind === "catch" && handler.rethrows)`,
        instead: "if (false)",
        test: [
          `${ENGINE}/schedule/schedule.test.ts`,
          "an error that goes on outward is given back after finally; a saga's after its compensations",
        ],
      },
      {
        id: "schedule D6 before a pass",
        text: `if (node.kind === "loop" && node.until && !hasBegun(cell, this.#in)) return this.#finish(cell); // D6`,
        instead: "",
        test: [`${RULES}/loops.test.tsx`, "until is evaluated before the first pass"],
      },
      {
        id: "schedule D6 begun",
        text: "node.until && !hasBegun(cell, this.#in)",
        instead: "node.until",
        test: [
          `${RULES}/loops.test.tsx`,
          "D6: a pass that has begun is finished, though until turned true in its middle; nested loops too",
        ],
      },
      {
        id: "schedule D6 after a pass",
        text: "if (loop.until) this.#finish(cell);",
        instead: "if (false) this.#finish(cell);",
        test: [
          `${RULES}/loops.test.tsx`,
          "D6: a pass that has begun is finished, though until turned true in its middle; nested loops too",
        ],
      },
      {
        id: "schedule asked once",
        text: `return hijack && state.kind === "cleared" && state.of === "approval";`,
        instead: "return hijack;",
        test: [`${RULES}/hijack.test.tsx`, "J3: reopen: the task goes on in the session as the person gave it back"],
      },
      {
        id: "schedule skipIf",
        text: "if (node.skipIf) this.#give",
        instead: "if (false) this.#give",
        test: [`${RULES}/scheduling.test.tsx`, "skipIf is terminal: nothing of it runs and what comes after goes on"],
      },
    ],
  },
  {
    file: `${ENGINE}/schedule/sleepers.ts`,
    guards: [
      {
        id: "schedule D1 backoff",
        text: "at > 0 && (this.#sorted[at - 1]?.dueMs ?? 0) <= nowMs",
        instead: "at > 0",
        test: [`${ENGINE}/schedule/schedule.test.ts`, "a backoff ends at its due time"],
      },
      {
        id: "schedule D1 backoff order",
        text: "if ((this.#sorted[middle]?.dueMs ?? 0) > dueMs) from = middle + 1;",
        instead: "if (middle < 0) from = middle + 1;",
        test: [
          `${ENGINE}/schedule/schedule.test.ts`,
          "whoever sleeps wakes in turn, whatever the order they fell asleep in",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/schedule/cells.ts`,
    guards: [
      {
        id: "schedule D3 queue",
        text: "while (from > 0 && (list[from - 1]?.order ?? 0) > cell.order) from -= 1;",
        instead: "",
        test: [`${ENGINE}/schedule/schedule.test.ts`, "D: keeping up to date gives what asking from scratch gives"],
      },
      {
        id: "schedule D6 nested",
        text: `if (node.kind === "loop" && node.iteration > 0) return true;`,
        instead: "",
        test: [
          `${ENGINE}/schedule/schedule.test.ts`,
          "D6: a pass has begun when a loop in it has advanced, though nothing of that loop's new pass has",
        ],
      },
      {
        id: "saga completed steps",
        text: `return phase === "done" ? [node.stepId] : [];`,
        instead: `return phase === "unreached" ? [] : [node.stepId];`,
        test: [
          `${RULES}/saga.test.tsx`,
          "only completed steps are undone: not the failed one, even when a part of it was done",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/schedule/contain.ts`,
    guards: [
      {
        id: "containment C1 codes",
        text: "(handler.codes === null || handler.codes.includes(code))",
        instead: "true",
        test: [
          `${RULES}/try-catch-finally.test.tsx`,
          "a code that catchErrors does not name goes to the outer try, after the inner finally",
        ],
      },
      {
        id: "containment C1 catch",
        text: `if (part === "body" && catches(here, error)) return { scopeId, next: "catch" };`,
        instead: "",
        test: [
          `${RULES}/try-catch-finally.test.tsx`,
          "catch gets the code, the message and the node; finally follows; the run goes on",
        ],
      },
      {
        id: "containment C2 catch",
        text: `if (part === "body" && catches(here, error))`,
        instead: "if (catches(here, error))",
        test: [
          `${RULES}/try-catch-finally.test.tsx`,
          "finally runs after a failing catch, and then the catch's failure fails the run",
        ],
      },
      {
        id: "containment C2 finally",
        text: `if (part !== "finally" && hasFinally)`,
        instead: "if (hasFinally)",
        test: [`${RULES}/try-catch-finally.test.tsx`, "a failing finally fails the run"],
      },
      {
        id: "containment C2 given up",
        text: `(here.part === "body" || (here.part === "catch" && at === "finally"))`,
        instead: `here.part === "body"`,
        test: [
          `${RULES}/try-catch-finally.test.tsx`,
          "a failure in a catch stops what else runs in it, then finally runs",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/schedule/retry.ts`,
    guards: [
      {
        id: "retry Y1 cap",
        text: "Math.min(policy.initialDelayMs * grown, policy.maxDelayMs)",
        instead: "policy.initialDelayMs * grown",
        test: [
          `${ENGINE}/schedule/retry.test.ts`,
          "by default a task is tried for ever: exponentially from one second, capped at five minutes, with full jitter",
        ],
      },
      {
        id: "retry Y1 jitter",
        text: "policy.jitter ? delayMs * random() : delayMs",
        instead: "delayMs",
        test: [
          `${ENGINE}/schedule/retry.test.ts`,
          "by default a task is tried for ever: exponentially from one second, capped at five minutes, with full jitter",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/schedule/budget.ts`,
    guards: [
      {
        id: "budget A2 per task",
        text: "usage: new Map(own ? [[key, own]] : [])",
        instead: "usage",
        test: [`${RULES}/aspects.test.tsx`, "that one task broke for itself does not stop the others"],
      },
      {
        id: "budget A2 total",
        text: "...(total > max ? ",
        instead: "...(false ? ",
        test: [
          `${RULES}/aspects.test.tsx`,
          "fails by default the task that breaks it, without a retry, and nothing starts after it",
        ],
      },
    ],
  },
];
