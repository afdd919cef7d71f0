/** Subflows, continuing as new, budgets. */
import type { GuardedFile } from "../guard.ts";
import { RULES, WORKFLOW, ENGINE } from "../rooms.ts";

export const COMPOSITION_GUARDS: readonly GuardedFile[] = [
  {
    file: `${WORKFLOW}/composites/parts.ts`,
    guards: [
      {
        id: "composites K2",
        text: "for (let nth = 2; taken.has(id); nth += 1) id = `${plain}-${nth}`;",
        instead: "",
        test: [
          `${WORKFLOW}/composites/deciding.test.ts`,
          "K2: ClassifyAndRoute: an item of two categories goes to both, and an item's name is no key",
        ],
      },
    ],
  },
  {
    file: `${WORKFLOW}/composites/supervisor.ts`,
    guards: [
      {
        id: "composites K2 folders",
        text: `.replaceAll(/(?:[^\\p{L}\\p{N}_.-]|\\.{2,})+/gu, "-")`,
        instead: "",
        test: [
          `${WORKFLOW}/composites/repeating.test.ts`,
          "K2: Supervisor: tasks that the plan names alike are each done, and a name is no way out of a folder",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/run/subflow.ts`,
    guards: [
      {
        id: "subflow B3",
        text: "resets === 0 ? `${key} ${failures}` : `${key} ${failures} ${resets}`); // B3",
        instead: "`${key} ${failures} ${resets} ${now()}`);",
        test: [`${RULES}/subflows.test.tsx`, "a child that is decided while its parent lives goes on in it"],
      },
      {
        id: "subflow B3 round",
        text: "resets === 0 ? `${key} ${failures}` : `${key} ${failures} ${resets}`); // B3",
        instead: "key);",
        test: [
          `${RULES}/subflows.test.tsx`,
          "a failing child fails its node with its own error; a retry is another run; a try around it catches",
        ],
      },
      {
        id: "subflow U2",
        text: 'if (created === "exists") await tellMissed',
        instead: "if (false) await tellMissed",
        test: [
          `${RULES}/subflow-lives.test.tsx`,
          "U2: what the parent was not told before a crash is counted when it is taken up",
        ],
      },
      {
        id: "subflow B3 resets",
        text: 'if (created === "created" && resets > 0)',
        instead: "if (false)",
        test: [`${RULES}/subflow-lives.test.tsx`, "begins a child of its own, and the one that still waits is ended"],
      },
      {
        id: "subflow B5",
        text: `if ("waiting" in result) return suspended(runId, result);`,
        instead: "",
        test: [
          `${RULES}/subflows.test.tsx`,
          "a child that waits suspends its parent; its decision makes the parent resumable, and the child goes on",
        ],
      },
      {
        id: "subflow B4",
        text: "if (!OVER.has(row.status)) {",
        instead: "if (!OVER.has(row.status) && (row.owner === null || row.owner.pid === owner.pid)) {",
        test: [
          `${WORKFLOW}/crash.machine.test.ts`,
          "point %i: another process finishes it and repeats no recorded step",
        ],
      },
      {
        id: "subflow lineage",
        text: `const last = (await lineage(store, runId)).at(-1);
  if (last?.status === "finished")`,
        instead: `const last = await store.run(runId);
  if (last?.status === "finished")`,
        test: [`${RULES}/subflows.test.tsx`, "a child that continues as new answers with its last run's row"],
      },
    ],
  },
  {
    file: `${ENGINE}/run/continuation.ts`,
    guards: [
      {
        id: "continue N1 lineage",
        text: `as: "continuation", key: null`,
        instead: `as: "subflow", key: null`,
        test: [
          `${RULES}/continue-as-new.test.tsx`,
          "N1: the successor runs the same ids again, with the state, and nothing after the element runs",
        ],
      },
      {
        id: "continue N1 signals",
        text: "signalsLeft(state.signals, [])",
        instead: "[]",
        test: [
          `${RULES}/continue-as-new.test.tsx`,
          "L7: a signal that another process sends right before the commit of %s is heard by the successor",
        ],
      },
      {
        id: "continue N4 tokens",
        text: "addUsage(each, sum), spentBefore.usage)",
        instead: "addUsage(each, sum))",
        test: [`${RULES}/aspects.test.tsx`, "%s: the pass that goes over the budget fails, in whatever run it is"],
      },
      {
        id: "continue N4 latency",
        text: "elapsedMs: spentBefore.elapsedMs + Math.max(0, ownMs)",
        instead: "elapsedMs: Math.max(0, ownMs)",
        test: [`${RULES}/aspects.test.tsx`, "latency counts from the first row of the first run"],
      },
      {
        id: "continue N2 beat",
        text: "events.push(...beatOf(leaf, state));",
        instead: "continue;",
        test: [
          `${RULES}/continue-as-new.test.tsx`,
          "N2: a timer of a loop keeps its beat over all the runs that the loop goes through",
        ],
      },
      {
        id: "continue N2 signals",
        text: "...signalsLeft(state.signals, waiters)",
        instead: "...signalsLeft({ ...state.signals, used: new Set() }, waiters)",
        test: [
          `${RULES}/continue-as-new.test.tsx`,
          "N2: signals that came early go along, each for one pass; one that a second waiter still may use is not used twice by the first",
        ],
      },
      {
        id: "continue N2 counter",
        text: "iteration: loop.iteration + 1 });",
        instead: "iteration: loop.iteration + 2 });",
        test: [
          `${RULES}/continue-as-new.test.tsx`,
          "N2: a loop continues as new with its counter and the latest rows of its body, inside another loop too",
        ],
      },
      {
        id: "continue N2 rows",
        text: "if (!last) continue;",
        instead: "continue;",
        test: [
          `${RULES}/continue-as-new.test.tsx`,
          "N2: a loop continues as new with its counter and the latest rows of its body, inside another loop too",
        ],
      },
      {
        id: "continue N3",
        text: "if (sizeBytes > MAX_STATE_BYTES)",
        instead: "if (false)",
        test: [`${RULES}/continue-as-new.test.tsx`, "N3: a state that %s fails the run, and there is no successor"],
      },
    ],
  },
  {
    file: `${ENGINE}/run/budgets.ts`,
    guards: [
      {
        id: "budgets A3",
        text: `const error = this.#broken.get(leaf.key);
    return error ?`,
        instead: `const error = undefined;
    return error ?`,
        test: [`${RULES}/aspects.test.tsx`, "is enforced while a task reports what it uses"],
      },
      {
        id: "budgets A3 no retry",
        text: `{ kind: "failed", error, retryable: false,`,
        instead: `{ kind: "failed", error, retryable: true,`,
        test: [
          `${RULES}/aspects.test.tsx`,
          "fails by default the task that breaks it, without a retry, and nothing starts after it",
        ],
      },
      {
        id: "budgets A4",
        text: `if (worst.onExceeded === "skip-remaining")`,
        instead: "if (false)",
        test: [
          `${RULES}/aspects.test.tsx`,
          "with skip-remaining lets what runs end and skips the rest, and what depends on it",
        ],
      },
      {
        id: "budgets own excess",
        text: `!perTask || onExceeded === "skip-remaining"`,
        instead: "true",
        test: [`${RULES}/aspects.test.tsx`, "that one task broke for itself does not stop the others"],
      },
      {
        id: "budgets said once",
        text: "if (this.#said.has(said)) return;",
        instead: "",
        test: [`${RULES}/aspects.test.tsx`, "with warn only says so, once"],
      },
    ],
  },
];
