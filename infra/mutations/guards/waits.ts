/** Approvals, questions, signals, timers, quotas and sessions in hand. */
import type { GuardedFile } from "../guard.ts";
import { RULES, WORKFLOW, ENGINE } from "../rooms.ts";

export const WAITS_GUARDS: readonly GuardedFile[] = [
  {
    file: `${ENGINE}/run/waits/wait.ts`,
    guards: [
      {
        id: "waits W1",
        text: "settleTimer(on, nowMs)",
        instead: "settleTimer({ ...on, dueMs: leaf.when.ms }, nowMs)",
        test: [
          `${RULES}/timers.test.tsx`,
          "W1: a restart before its time does not reset it, even when the workflow now says another duration",
        ],
      },
      {
        id: "waits W3",
        text: `ORDER.find((status) => statuses.has(status)) ?? "waiting-timer"`,
        instead: `[...statuses].at(-1) ?? "waiting-timer"`,
        test: [
          `${RULES}/why.test.tsx`,
          "every reason at once, each with the command that ends it or the time when it ends",
        ],
      },
      {
        id: "waits changed kind",
        text: `return on.kind === "human"
        ?`,
        instead: `return on.kind !== null
        ?`,
        test: [
          `${RULES}/waits.test.tsx`,
          "a node that waited for its %s and is another element now (%s) fails by name",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/run/waits/waits.ts`,
    guards: [
      {
        id: "waits timer that left",
        text: "this.#shown && !this.#shown.has(key) ? [] : on",
        instead: "on",
        test: [
          `${RULES}/timers.test.tsx`,
          "the time of a timer that has left the tree wakes nobody, and keeps no process busy when it is over",
        ],
      },
      {
        id: "approval N2 people",
        text: "exceptBy: BY_AUTO_APPROVE",
        instead: `exceptBy: ""`,
        test: [
          `${RULES}/auto-approve.test.tsx`,
          "N2: after so many approvals by people in a row nobody is asked; a denial starts the count anew",
        ],
      },
      {
        id: "waits sit out",
        text: "const SIT_OUT_MS = 2_000;",
        instead: "const SIT_OUT_MS = -1;",
        test: [`${RULES}/timers.test.tsx`, "a wait of a second is sat out"],
      },
      {
        id: "waits missing row",
        text: "if (!this.#hasRow(key, on)) this.#unasked.add(key);",
        instead: "{}",
        test: [`${RULES}/human.test.tsx`, "a wait whose row is missing, as in a fork, is asked again"],
      },
      {
        id: "loop L5 wake",
        text: "waiting: keys.map(parseStateKey), wakeAtMs }",
        instead: "waiting: keys.map(parseStateKey), wakeAtMs: (wakeAtMs ?? 0) + 1 }",
        test: [`${RULES}/timers.test.tsx`, "suspends as a row with the time it is due, and is resumable from then on"],
      },
    ],
  },
  {
    file: `${ENGINE}/run/waits/gate.ts`,
    guards: [
      {
        id: "gates G1",
        text: `if (decision.verdict === "approve") return { kind: "go" };`,
        instead: `return { kind: "go" };`,
        test: [
          `${RULES}/gates.test.tsx`,
          "G1: denied, it fails without having run; with continueOnFail what comes after goes on",
        ],
      },
      {
        id: "gates G2 goes on by itself",
        text: `if (on.kind === "quota") return on.dueMs <= nowMs ? { kind: "go" }`,
        instead: `if (on.kind === "quota") return on.dueMs <= nowMs ? { kind: "done" }`,
        test: [
          `${RULES}/gates.test.tsx`,
          "G2: %s parks the run in waiting-quota until that time; it wakes by itself and no retry is used up",
        ],
      },
      {
        id: "gates G3",
        text: "|| rows.readyRuns.has(on.runId) ?",
        instead: "?",
        test: [`${RULES}/subflows.test.tsx`, "a child that is decided while its parent lives goes on in it"],
      },
    ],
  },
  {
    file: `${ENGINE}/run/waits/hijack.ts`,
    guards: [
      {
        id: "hijack J2",
        text: "return void hijacks.set(key, { ...before, session: event.session });",
        instead: "return;",
        test: [
          `${RULES}/hijack.test.tsx`,
          "J1: out of its work a session is taken between tool calls, costs no retry, and comes back to the next attempt",
        ],
      },
      {
        id: "hijack J2 comes back",
        text: "session: session ?? before.session",
        instead: "session: before.session",
        test: [`${RULES}/hijack.test.tsx`, "J3: reopen: the task goes on in the session as the person gave it back"],
      },
      {
        id: "hijack J3",
        text: `if (onExit === "reopen") return { kind: "go" }; // J3`,
        instead: "",
        test: [`${RULES}/hijack.test.tsx`, "J3: reopen: the task goes on in the session as the person gave it back"],
      },
    ],
  },
  {
    file: `${ENGINE}/run/waits/signal.ts`,
    guards: [
      {
        id: "signals G1 once",
        text: "|| signals.used.has(use(nodeId, signal))) continue",
        instead: ") continue",
        test: [
          `${RULES}/signals.test.tsx`,
          "G1: a duplicate waits for the next pass, and every waiter of its own name gets it",
        ],
      },
      {
        id: "signals G1 all iterations",
        text: "`${localId(nodeId)} ${signal}`",
        instead: "`${nodeId} ${signal}`",
        test: [
          `${RULES}/signals.test.tsx`,
          "G1: a signal that was used in one pass of an outer loop is not taken again in the next",
        ],
      },
      {
        id: "signals G2",
        text: "sent.name === on.name && sent.correlationId === on.correlationId",
        instead: "sent.name === on.name",
        test: [`${RULES}/signals.test.tsx`, "G2: the correlation must be the very same"],
      },
      {
        id: "signals G3",
        text: "const message = `signal ${on.name} for ${nodeId}: ${fitted.problem}`;",
        instead: `const message = fitted.problem;
    if (message) return { kind: "fail", error: { code: "INVALID_INPUT", message, nodeId } };`,
        test: [
          `${RULES}/signals.test.tsx`,
          "G3: one that turns out not to fit is put aside with its error, and the waiter goes on waiting",
        ],
      },
      {
        id: "waits W2",
        text: `also: [...also, { type: "signal.used", nodeId, iteration, signal }]`,
        instead: "also",
        test: [
          `${RULES}/signals.test.tsx`,
          "G1: a duplicate waits for the next pass, and every waiter of its own name gets it",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/run/waits/human.ts`,
    guards: [
      {
        id: "human H1 asked anew",
        text: "if (rejected + 1 >= leaf.maxAttempts)",
        instead: "if (true)",
        test: [
          `${RULES}/human.test.tsx`,
          "H1: what does not fit is refused at once, or asked anew when only the workflow can tell",
        ],
      },
      {
        id: "human H1 attempts",
        text: "if (rejected >= leaf.maxAttempts) return exhausted(leaf);",
        instead: "",
        test: [`${RULES}/human.test.tsx`, "after maxAttempts such answers the node fails"],
      },
    ],
  },
  {
    file: `${ENGINE}/run/waits/ask.ts`,
    guards: [
      {
        id: "ask K1 found again",
        text: "if (!row) note(asked);",
        instead: "note(asked);",
        test: [
          `${RULES}/ask.test.tsx`,
          "K1: after a crash the same question is not asked again, and its answer is used",
        ],
      },
      {
        id: "ask K1 two questions",
        text: "times.set(prompt, nth + 1);",
        instead: "",
        test: [`${RULES}/ask.test.tsx`, "K1: the same question asked twice in one attempt is two questions"],
      },
      {
        id: "ask timeout",
        text: "if (row && clock.now() >= dueMs)",
        instead: "if (false)",
        test: [`${RULES}/ask.test.tsx`, "refused, the task fails and is not tried again; nobody in time is TIMED_OUT"],
      },
    ],
  },
  {
    file: `${ENGINE}/run/waits/timer.ts`,
    guards: [
      {
        id: "timers M1",
        text: "Math.floor((nowMs - lastDueMs) / when.ms) + 1; // M1",
        instead: "1;",
        test: [
          `${RULES}/timers.test.tsx`,
          "M1: in a loop `every` keeps its beat, and beats that a slow pass missed are not made up",
        ],
      },
      {
        id: "timers M1 beat",
        text: "return lastDueMs + Math.max(1, beats) * when.ms;",
        instead: "return nowMs + when.ms;",
        test: [
          `${RULES}/timers.test.tsx`,
          "M1: in a loop `every` keeps its beat, and beats that a slow pass missed are not made up",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/run/waits/approval.ts`,
    guards: [
      {
        id: "approval N1 asked again",
        text: `(on.kind === "approval" && on.again === 0)`,
        instead: `on.kind === "approval"`,
        test: [`${RULES}/approval-times.test.tsx`, "retries ask again, each time for timeoutMs"],
      },
      {
        id: "approval N2 denial",
        text: "return denial === -1 ? past.length : denial;",
        instead: "return past.length;",
        test: [
          `${RULES}/auto-approve.test.tsx`,
          "N2: after so many approvals by people in a row nobody is asked; a denial starts the count anew",
        ],
      },
      {
        id: "approval asked again",
        text: "again: on.again - 1 })",
        instead: "again: on.again })",
        test: [`${RULES}/approval-times.test.tsx`, "retries ask again, each time for timeoutMs"],
      },
    ],
  },
  {
    file: `${ENGINE}/run/control.ts`,
    guards: [
      {
        id: "approval N1 engine",
        text: "if (by.startsWith(ENGINE)) throw",
        instead: "if (false) throw",
        test: [
          `${RULES}/approval-times.test.tsx`,
          "N1: a decision that comes before the engine notices wins, and nobody may sign as the engine",
        ],
      },
      {
        id: "control allowedUsers",
        text: "if (allowedUsers && !allowedUsers.includes(by))",
        instead: "if (false)",
        test: [
          `${RULES}/approvals.test.tsx`,
          "a decision by the wrong person, of an unknown option, or a second one is refused; the first stays",
        ],
      },
      {
        id: "control allowedScopes",
        text: "if (allowedScopes && !allowedScopes",
        instead: "if (false && !allowedScopes",
        test: [`${RULES}/approvals.test.tsx`, "allowedScopes: who has none of them is refused, who has one decides"],
      },
      {
        id: "control empty rank",
        text: "chosen.length === 0 || !allKnown",
        instead: "!allKnown",
        test: [
          `${RULES}/approvals.test.tsx`,
          "mode rank: an order of some options is its row; none, an unknown one, or one twice is refused",
        ],
      },
      {
        id: "control unknown option",
        text: "|| !allKnown ||",
        instead: "||",
        test: [
          `${RULES}/approvals.test.tsx`,
          "a decision by the wrong person, of an unknown option, or a second one is refused; the first stays",
        ],
      },
      {
        id: "control twice ranked",
        text: " || new Set(chosen).size < chosen.length",
        instead: "",
        test: [
          `${RULES}/approvals.test.tsx`,
          "mode rank: an order of some options is its row; none, an unknown one, or one twice is refused",
        ],
      },
      {
        id: "control answer",
        text: `if ((mode === "answer") !== (decision.verdict === "answer") && decision.verdict !== "deny")`,
        instead: "if (false)",
        test: [`${RULES}/human.test.tsx`, "a question is not approved, and an approval takes no answer"],
      },
      {
        id: "control signal size",
        text: "if (sizeBytes > MAX_PAYLOAD_BYTES)",
        instead: "if (false)",
        test: [`${RULES}/signals.test.tsx`, "too much is refused, and so is a run that is over or unknown"],
      },
      {
        id: "control signal payload",
        text: `if (problem !== undefined)
      throw`,
        instead: `if (false)
      throw`,
        test: [`${RULES}/signals.test.tsx`, "a present waiter's schema is checked when the signal is sent"],
      },
      {
        id: "control cancels children",
        text: `if (result === "cancelled")
    for`,
        instead: `if (false)
    for`,
        test: [
          `${RULES}/subflows.test.tsx`,
          "cancelling the parent cancels the child: one that runs, and one that is suspended with it",
        ],
      },
      {
        id: "pause of a parent",
        text: `run.status === "paused" || `,
        instead: "",
        test: [`${RULES}/subflow-lives.test.tsx`, "of a run stays, also when its child alone is told to go on"],
      },
      {
        id: "control given up",
        text: ` || run.error?.code === "AUTO_RESUME_GAVE_UP"`,
        instead: "",
        test: [
          `${WORKFLOW}/supervisor.machine.test.ts`,
          "a workflow that cannot be loaded is given up, visibly, while good ones are finished",
        ],
      },
      {
        id: "control root of a subflow",
        text: "const run = await rootRun(store, child);",
        instead: "const run = child;",
        test: [
          `${RULES}/subflows.test.tsx`,
          "a child that waits suspends its parent; its decision makes the parent resumable, and the child goes on",
        ],
      },
    ],
  },
];
