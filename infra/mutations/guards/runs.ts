/** The loop, subflows, continuing, budgets and why a run waits. */
import type { GuardedFile } from "../guard.ts";
import { RULES, WORKFLOW, ENGINE } from "../rooms.ts";

export const RUNS: readonly GuardedFile[] = [
  {
    file: `${ENGINE}/run/subflow.ts`,
    guards: [
      {
        id: "subflow B3",
        text: "derivedRunId(parent.runId, `${key} ${round}`); // B3",
        instead: "derivedRunId(parent.runId, `${key} ${round} ${now()}`);",
        test: [`${RULES}/subflows.test.tsx`, "a child that is decided while its parent lives goes on in it"],
      },
      {
        id: "subflow B3 round",
        text: "derivedRunId(parent.runId, `${key} ${round}`); // B3",
        instead: "derivedRunId(parent.runId, key);",
        test: [
          `${RULES}/subflows.test.tsx`,
          "a failing child fails its node with its own error; a retry is another run; a try around it catches",
        ],
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
        id: "continue N2 rows",
        text: "if (!last) continue;",
        instead: "continue;",
        test: [
          `${RULES}/continue-as-new.test.tsx`,
          '${ctx.output(outputs.n, "base").n} ${ctx.output(outputs.n, "a").n}',
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/run/containment.ts`,
    guards: [
      {
        id: "loop L4 waits",
        text: `    this.withdraw(given);
`,
        instead: "",
        test: [`${RULES}/failures.test.tsx`, "only what stands in the try is stopped; what stands beside it goes on"],
      },
      {
        id: "subflow cancelled with its parent",
        text: `if (on?.kind === "run") void this.#in.subflows.cancel(on.runId);`,
        instead: "",
        test: [`${RULES}/subflows.test.tsx`, "a parent that fails cancels the child that is suspended with it"],
      },
      {
        id: "asked no more",
        text: "if (on) journal.draft.voided.push(askedRef(leaf, on)); // nobody is asked any more",
        instead: "",
        test: [`${RULES}/failures.test.tsx`, "what was asked in the try is asked no more, while the run goes on"],
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
  {
    file: `${ENGINE}/run/state.ts`,
    guards: [
      {
        id: "budget A1",
        text: "return void state.usage.set(stateKey(event), addUsage(event, state.usage.get(stateKey(event))));",
        instead: "return;",
        test: [
          `${RULES}/aspects.test.tsx`,
          "fails by default the task that breaks it, without a retry, and nothing starts after it",
        ],
      },
      {
        id: "tool log L1 survives",
        text: "if (event.sideEffect || !event.idempotent) tools.set(key, rememberCall(tools.get(key), event));",
        instead: "",
        test: [
          `${RULES}/tool-calls.test.tsx`,
          "a retry after calls that are not idempotent is warned of them by name; after others it is not",
        ],
      },
      {
        id: "run interrupted bodies",
        text: `if (node.kind === "running" || (node.kind === "waiting" && node.on.kind === "run"))`,
        instead: `if (node.kind === "running")`,
        test: [
          `${RULES}/subflows.test.tsx`,
          "a child that waits suspends its parent; its decision makes the parent resumable, and the child goes on",
        ],
      },
      {
        id: "reset Z5 state",
        text: `else state.nodes.set(key, { kind: "interrupted", attempt: node.attempt, failures: 0 });`,
        instead: "else state.nodes.delete(key);",
        test: [
          `${RULES}/time-travel.test.tsx`,
          "does the task and what comes after it again, nothing else, and counts attempts on",
        ],
      },
      {
        id: "pause outlives",
        text: "if (state.pause.done) Object.assign(state.pause, { by: null, done: false });",
        instead: "Object.assign(state.pause, { by: null, done: false });",
        test: [`${RULES}/pause.test.tsx`, "a pause outlives a crash of the process that was to heed it"],
      },
    ],
  },
  {
    file: `${ENGINE}/run/run-loop.ts`,
    guards: [
      {
        id: "loop L1",
        text: `if (!(await this.#flush(result))) return { status: "lost", runId: this.#in.runId }; // L2`,
        instead: `if (!result && !this.#stopping.why) for (const { leaf, attempt } of starts.splice(0)) this.#bodies.launch(leaf, attempt, this.#frame.name);
    if (!(await this.#flush(result))) return { status: "lost", runId: this.#in.runId };`,
        test: [
          `${RULES}/store-health.test.tsx`,
          "W1, W2: a write refused for %s is tried again whole, and the run goes on as if nothing had been",
        ],
      },
      {
        id: "cancel reaches",
        text: `if (row.cancelRequestedBy !== null) this.stop({ status: "cancelled" });`,
        instead: "",
        test: [`${RULES}/ownership.test.tsx`, "cancelling from outside reaches the running body"],
      },
    ],
  },
  {
    file: `${ENGINE}/run/current-frame.ts`,
    guards: [
      {
        id: "loop L3 tracked reads",
        text: "if (this.#frames.hasRead(table, id)) this.#stale = true;",
        instead: "",
        test: [`${WORKFLOW}/workflow.test.tsx`, "a loop runs until its condition holds"],
      },
    ],
  },
  {
    file: `${ENGINE}/run/progress.ts`,
    guards: [
      {
        id: "loop L6",
        text: "this.#continuing ??= step.from; // L6",
        instead: "",
        test: [
          `${RULES}/continue-as-new.test.tsx`,
          "N1: the successor runs the same ids again, with the state, and nothing after the element runs",
        ],
      },
      {
        id: "store W3",
        text: "this.#in.state.pause.by !== null || health.isParked",
        instead: "this.#in.state.pause.by !== null",
        test: [
          `${RULES}/store-health.test.tsx`,
          "W3, W4: with too little room what runs is recorded and nothing new starts, until there is twice the watermark",
        ],
      },
      {
        id: "pause starts nothing",
        text: "ends || this.#in.state.pause.by !== null || ",
        instead: "ends || ",
        test: [
          `${RULES}/pause.test.tsx`,
          "what runs ends and is recorded, nothing new starts, and no supervisor takes it up",
        ],
      },
      {
        id: "loop parts",
        text: "if (this.hasMore) return starts",
        instead: "if (false) return starts",
        test: [
          `${RULES}/loops.test.tsx`,
          "a loop that never needs a body is recorded as it goes, and can be cancelled",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/run/ending.ts`,
    guards: [
      {
        id: "store W3 parked",
        text: "if (health.isParked) return undefined;",
        instead: "",
        test: [
          `${RULES}/store-health.test.tsx`,
          "W3, W4: with too little room what runs is recorded and nothing new starts, until there is twice the watermark",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/run/recorder.ts`,
    guards: [
      {
        id: "recorder R2",
        text: "if (firstSeq !== this.#deliveredSeq + 1 || firstSeq !== this.#seenSeq + 1) return this.#fetch(own);",
        instead: "",
        test: [
          `${RULES}/approvals.test.tsx`,
          "a decision while the run is alive is applied at once, and its event is delivered in order",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/run/why.ts`,
    guards: [
      {
        id: "why V1 command",
        text: "command: `smithers approve ${runId} ${at}`",
        instead: "command: null",
        test: [
          `${RULES}/why.test.tsx`,
          "every reason at once, each with the command that ends it or the time when it ends",
        ],
      },
      {
        id: "why V1 time",
        text: `dueMs: on.dueMs,
      problem`,
        instead: `dueMs: null,
      problem`,
        test: [
          `${RULES}/why.test.tsx`,
          "every reason at once, each with the command that ends it or the time when it ends",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/run/failure.ts`,
    guards: [
      {
        id: "deadlock names both",
        text: "waits for ${nodeName(dependency)} (",
        instead: "waits (",
        test: [`${RULES}/scheduling.test.tsx`, '${ctx.output(outputs.n, "base").n} ${ctx.output(outputs.n, "a").n}'],
      },
    ],
  },
];
