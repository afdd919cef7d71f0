/** The loop, and why a run waits. */
import type { GuardedFile } from "../guard.ts";
import { RULES, WORKFLOW, ENGINE } from "../rooms.ts";

export const RUNS_GUARDS: readonly GuardedFile[] = [
  {
    file: `${ENGINE}/run/containment.ts`,
    guards: [
      {
        id: "loop L4 siblings",
        text: "bodies.giveUp(given, () => new SmoothError",
        instead: "void given, (() => new SmoothError",
        test: [`${RULES}/failures.test.tsx`, "only what stands in the try is stopped; what stands beside it goes on"],
      },
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
    file: `${ENGINE}/run/state.ts`,
    guards: [
      {
        id: "state reset session",
        text: "state.hijacks.delete(key);",
        instead: "",
        test: [`${RULES}/hijack.test.tsx`, "a task that is sent back begins a session of its own"],
      },
      {
        id: "budget A1",
        text: "return countUsage(state, event);",
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
        text: `else state.nodes.set(key, { kind: "interrupted", attempt: node.attempt, failures: 0, failedBy: NONE });`,
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
    file: `${ENGINE}/run/give-back.ts`,
    guards: [
      {
        id: "give back P3 successor",
        text: "const last = next?.epoch === 1 ? next : row;",
        instead: "const last = row;",
        test: [
          `${RULES}/store-health.test.tsx`,
          "P3: a successor that was created and is driven by nobody, because the store fails when %s, is left to whoever comes next",
        ],
      },
      {
        id: "give back P4",
        text: "const WAITS_MS = [0, 1_000, 2_000, 4_000, 8_000];",
        instead: "const WAITS_MS = [0];",
        test: [
          `${RULES}/store-health.test.tsx`,
          "P3, P4: a store that breaks off %s it has written leaves the run to whoever comes next, though its process lives on",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/run/run-loop.ts`,
    guards: [
      {
        id: "loop P3",
        text: "void giveBack({ ...this.#in, owner: this.#in.origin.owner });",
        instead: "",
        test: [
          `${RULES}/store-health.test.tsx`,
          "P3, P4: a store that breaks off %s it has written leaves the run to whoever comes next, though its process lives on",
        ],
      },
      {
        id: "recorder R2 look",
        text: `this.#look();
    if (event.type === "hijack.requested")`,
        instead: `if (event.type === "hijack.requested")`,
        test: [
          `${RULES}/approvals.test.tsx`,
          "R2: a decision of which nobody told this process is heard, and delivered in its place, when the next step is recorded",
        ],
      },
      {
        id: "loop L1",
        text: `const recorded = await this.#flush(result);
    if (recorded === "stale") return { status: "lost", runId: this.#in.runId }; // L2`,
        instead: `if (!result && !this.#stopping.why) for (const { leaf, attempt } of starts.splice(0)) this.#bodies.launch(leaf, attempt, this.#frame.name);
    const recorded = await this.#flush(result);
    if (recorded === "stale") return { status: "lost", runId: this.#in.runId };`,
        test: [
          `${RULES}/store-health.test.tsx`,
          "W1, W2: a write refused for %s is tried again whole, and the run goes on as if nothing had been",
        ],
      },
      {
        id: "loop L7",
        text: `if (recorded === "behind") this.#look(); // L7
    else if (result)`,
        instead: "if (result)",
        test: [
          `${RULES}/continue-as-new.test.tsx`,
          "L7: a signal that another process sends right before the commit of %s is heard by the successor",
        ],
      },
      {
        id: "loop L2 stale",
        text: `if (recorded === "stale") this.stop({ status: "lost" }); // L2`,
        instead: `if (recorded === "stale") void 0;`,
        test: [
          `${RULES}/subflows.test.tsx`,
          "a parent whose run is another's lets its child go and does not cancel it",
        ],
      },
      {
        id: "loop L2 epoch",
        text: `if (row?.epoch !== epoch) return this.stop({ status: "lost" });`,
        instead: "if (!row) return;",
        test: [
          `${RULES}/ownership.test.tsx`,
          "L2: an idle owner learns at once that its run is another's, and its bodies are aborted",
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
    file: `${ENGINE}/run/journal.ts`,
    guards: [
      {
        id: "loop L2 lost",
        text: `if (stop?.status === "lost") return "stale"; // L2`,
        instead: "",
        test: [
          `${RULES}/store-health.test.tsx`,
          "L2: a run that was lost while its store refuses writes is let go at once",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/run/current-frame.ts`,
    guards: [
      {
        id: "loop L3 tracked reads",
        text: 'if (this.#frames.hasRead(table, id)) this.#stale = "tree";',
        instead: "",
        test: [`${WORKFLOW}/workflow.test.tsx`, "a loop runs until its condition holds"],
      },
    ],
  },
  {
    file: `${ENGINE}/run/progress.ts`,
    guards: [
      {
        id: "loop L8",
        text: "containment.withdrawPass(step.loop); // L8",
        instead: "",
        test: [
          `${RULES}/loops.test.tsx`,
          "L8: what a pass asked without waiting for it is asked no more when the pass is over",
        ],
      },
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
        id: "loop L6 lets end",
        text: "stopping.why !== undefined || this.#continuing !== undefined",
        instead: "stopping.why !== undefined",
        test: [`${RULES}/continue-as-new.test.tsx`, "what runs beside it ends first, what waits is asked no more"],
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
        id: "loop L6 asks no more",
        text: "withdrawn: containment.allWithdrawn()",
        instead: "withdrawn: []",
        test: [`${RULES}/continue-as-new.test.tsx`, "what runs beside it ends first, what waits is asked no more"],
      },
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
    file: `${ENGINE}/run/journal.ts`,
    guards: [
      {
        id: "journal forgets a continuation",
        text: "this.#continuation = undefined;",
        instead: "",
        test: [
          `${RULES}/continue-as-new.test.tsx`,
          "L7: a pause and a cancellation in that moment are heeded, and what waited in the run goes on waiting",
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
          "R2: a decision of which nobody told this process is heard, and delivered in its place, when the next step is recorded",
        ],
      },
      {
        id: "recorder R3",
        text: "if (event.seq < own.from || event.seq > own.to) this.#to.onForeign(event); // R3",
        instead: "this.#to.onForeign(event);",
        test: [
          `${RULES}/ownership.test.tsx`,
          "R3: what somebody writes right before a commit is folded once, and the commit's own events are not folded again",
        ],
      },
      {
        id: "recorder R4",
        text: `if (result.kind === "behind") putBack?.(); // R4`,
        instead: "",
        test: [
          `${RULES}/continue-as-new.test.tsx`,
          "L7: a pause and a cancellation in that moment are heeded, and what waited in the run goes on waiting",
        ],
      },
      {
        id: "recorder R1",
        text: `if (result.kind !== "committed") return result.kind;`,
        instead: `if (result.kind !== "committed") return "recorded";`,
        test: [`${RULES}/ownership.test.tsx`, "R1, L2: after a commit that came too late nothing starts any more"],
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
        text: "timesOf(log, key), dueMs: on.dueMs }",
        instead: "timesOf(log, key), dueMs: null }",
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
        test: [
          `${RULES}/dependencies.test.tsx`,
          "a dependency that never mounts ends the run as a deadlock that names both",
        ],
      },
    ],
  },
];
