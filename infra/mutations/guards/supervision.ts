/** Supervision, schedules and retention. */
import type { GuardedFile } from "../guard.ts";
import { WORKFLOW, ENGINE } from "../rooms.ts";

export const SUPERVISION_GUARDS: readonly GuardedFile[] = [
  {
    file: `${ENGINE}/supervisor/supervisor.ts`,
    guards: [
      {
        id: "supervisor limits",
        text: `checkNumber("maxPerRound of a supervisor", deps.maxPerRound, { least: 1, whole: true, orInfinity: true });`,
        instead: "",
        test: [`${ENGINE}/supervisor/supervisor.test.ts`, "a supervisor that could not do its rounds is refused: %o"],
      },
      {
        id: "supervisor U1",
        text: `log.error("supervisor.run-failed", { runId: run.runId, error: String(error) });`,
        instead: "throw error;",
        test: [`${ENGINE}/supervisor/supervisor.test.ts`, "U1: a run whose rows cannot be read holds up no other"],
      },
      {
        id: "supervisor U2",
        text: "if (TAKEN.has(info.code)) return null; // U2",
        instead: "",
        test: [
          `${ENGINE}/supervisor/supervisor.test.ts`,
          "U2: a claim that another process won is no failure of the run",
        ],
      },
      {
        id: "supervisor U3",
        text: `await this.#noteFailure(run, "died", { code: "INTERNAL", message: "The process that worked on it died." }); // U3`,
        instead: "void 0;",
        test: [
          `${WORKFLOW}/supervisor.machine.test.ts`,
          "a workflow that cannot be loaded is given up, visibly, while good ones are finished",
        ],
      },
      {
        id: "supervisor reaps",
        text: `await this.#quietly("supervisor.reap-failed", this.#deps.reapOrphans);`,
        instead: "void 0;",
        test: [
          `${ENGINE}/supervisor/supervisor.test.ts`,
          "what a dead owner left running is ended before its run is taken up",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/supervisor/give-up.ts`,
    guards: [
      {
        id: "give up G1",
        text: "events.slice(events.findLastIndex(isProgress) + 1)",
        instead: "events.slice(0)",
        test: [
          `${ENGINE}/supervisor/give-up.test.ts`,
          "G1: a step forward starts the count anew; taking it up and starting a body does not",
        ],
      },
      {
        id: "give up G1 twice noted",
        text: "=== at,",
        instead: ">= 0,",
        test: [`${ENGINE}/supervisor/give-up.test.ts`, "G1: two supervisors that note the same death count it once"],
      },
      {
        id: "give up G2",
        text: "* 2 ** (failures.length - 1)); // G2",
        instead: ");",
        test: [
          `${ENGINE}/supervisor/give-up.test.ts`,
          "G2: the wait doubles up to its limit, then the run is given up",
        ],
      },
      {
        id: "give up G2 end",
        text: "if (failures.length >= policy.maxFailures)",
        instead: "if (false)",
        test: [
          `${ENGINE}/supervisor/give-up.test.ts`,
          "G2: the wait doubles up to its limit, then the run is given up",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/supervisor/derived-state.ts`,
    guards: [
      {
        id: "derived V1",
        text: `if (claim === "over" || status === "paused") return status; // V1`,
        instead: "",
        test: [`${ENGINE}/supervisor/give-up.test.ts`, "V1: given up and then cancelled, it is cancelled"],
      },
      {
        id: "derived V2",
        text: `if (!known.success) return "unknown"; // V2`,
        instead: `if (!known.success) return "finished";`,
        test: [`${ENGINE}/supervisor/give-up.test.ts`, "a status of a newer version is unknown"],
      },
      {
        id: "derived V3",
        text: `return check.supervised ? "recovering" : "orphaned"; // V3`,
        instead: `return "recovering";`,
        test: [`${ENGINE}/supervisor/give-up.test.ts`, "V3: without a supervisor a dead owner's run is orphaned"],
      },
      {
        id: "derived stale",
        text: `check.nowMs - row.heartbeatAtMs > STALE_MS ? "stale" : status`,
        instead: "status",
        test: [`${ENGINE}/supervisor/give-up.test.ts`, "a living owner that is silent hangs"],
      },
    ],
  },
  {
    file: `${ENGINE}/supervisor/process-groups.node.ts`,
    guards: [
      {
        id: "groups O2 owner",
        text: "if (group && isOwnerAlive(group.owner)) return [];",
        instead: "",
        test: [
          `${ENGINE}/supervisor/process-groups.test.ts`,
          "O2: the group of a dead owner is killed, that of a living one is not",
        ],
      },
      {
        id: "groups O2 leader",
        text: `(now === "" || now === then)`,
        instead: "true",
        test: [
          `${ENGINE}/supervisor/process-groups.test.ts`,
          "O2: a process that was given the pid of a dead owner's group since is left alone",
        ],
      },
      {
        id: "groups O1",
        text: "return () => rmSync(file, { force: true });",
        instead: "return () => {};",
        test: [
          `${ENGINE}/supervisor/process-groups.test.ts`,
          "O1: the file of a group is there from its start and gone with its end",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/schedules/decide.ts`,
    guards: [
      {
        id: "schedules C1 once",
        text: `catchUp === "all" ? MAX_CATCH_UP : 1`,
        instead: "MAX_CATCH_UP",
        test: [`${ENGINE}/schedules/schedules.test.ts`, "C1: after an outage of ten slots, catch-up %s fires %i"],
      },
      {
        id: "schedules C1 skip",
        text: "due.filter((slotMs) => nowMs - slotMs <= ON_TIME_MS)",
        instead: "due",
        test: [`${ENGINE}/schedules/schedules.test.ts`, "C1: after an outage of ten slots, catch-up %s fires %i"],
      },
      {
        id: "schedules C1 all",
        text: "const MAX_CATCH_UP = 100;",
        instead: "const MAX_CATCH_UP = 1;",
        test: [`${ENGINE}/schedules/schedules.test.ts`, "C1: after an outage of ten slots, catch-up %s fires %i"],
      },
      {
        id: "schedules C2 skip",
        text: `if (overlap === "skip") return { kind: "drop", slot };`,
        instead: "",
        test: [`${ENGINE}/schedules/schedules.test.ts`, "skip drops the slot"],
      },
      {
        id: "schedules C2 previous",
        text: "if (previous === null) return",
        instead: "return",
        test: [`${ENGINE}/schedules/schedules.test.ts`, "skip drops the slot"],
      },
      {
        id: "schedules C4",
        text: "seenMs - nowMs > SKEW_MS",
        instead: "false",
        test: [`${ENGINE}/schedules/schedules.test.ts`, "the schedule fires at its next slot"],
      },
      {
        id: "schedules C3",
        text: ".toSorted((a, b) => a.slotMs - b.slotMs)[0]",
        instead: "[0]",
        test: [
          `${ENGINE}/schedules/schedules.test.ts`,
          "C3: the slots of one schedule start in the order of their times",
        ],
      },
      {
        id: "schedules C1 newest",
        text: "untilMs: nowMs, count }",
        instead: "untilMs: seenMs + 60_000, count }",
        test: [
          `${ENGINE}/schedules/schedules.test.ts`,
          "C1: after nine days of missed minutes, catch-up %s still fires at the next one",
        ],
      },
      {
        id: "schedules paused",
        text: "if (schedule.paused) return [];",
        instead: "",
        test: [
          `${ENGINE}/schedules/schedules.test.ts`,
          "a paused schedule lets its slots go; a deleted one is gone; an unknown one is named",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/schedules/schedules.ts`,
    guards: [
      {
        id: "schedules C2 continued",
        text: "(await lineage(store, first.runId)).at(-1)",
        instead: "first",
        test: [`${ENGINE}/schedules/schedules.test.ts`, "%s looks at the run that it continued as"],
      },
      {
        id: "schedules C4 previous",
        text: "[launched.find(({ slotMs }) => slotMs > nowMs), launched.find(({ slotMs }) => slotMs <= nowMs)]",
        instead: "[launched[0]]",
        test: [
          `${ENGINE}/schedules/schedules.test.ts`,
          "what goes on of either side of the jump counts as the previous run",
        ],
      },
      {
        id: "schedules F1",
        text: `if (!(error instanceof SmoothError) || error.code !== "CONFLICT") throw error; // F1`,
        instead: "throw error;",
        test: [
          `${ENGINE}/schedules/schedules.test.ts`,
          "F1: a run that was started, though nobody wrote that down, is not started again",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/schedules/sqlite.ts`,
    guards: [
      {
        id: "schedules H1",
        text: "slots.filter((slot) => slot.slotMs > after)",
        instead: "slots",
        test: [
          `${ENGINE}/schedules/schedules.test.ts`,
          "H1: of two that open the same slots one writes them; what was let go is not written",
        ],
      },
      {
        id: "schedules H3",
        text: "slot_ms > ? AND state <> 'launched'",
        instead: "slot_ms > ?",
        test: [
          `${ENGINE}/schedules/schedules.test.ts`,
          "H3: time is taken back once: what was launched later stays and is not written again, the rest can be",
        ],
      },
      {
        id: "schedules H2",
        text: "sql.run(PRUNE, [scheduleId, KEPT_SLOTS]);",
        instead: "",
        test: [
          `${ENGINE}/schedules/schedules.test.ts`,
          "H2: the newest settled slots stay, with all that is pending and the last that was launched",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/retention/gc.ts`,
    guards: [
      {
        id: "gc limits",
        text: "  checkPolicy(policy);",
        instead: "",
        test: [`${ENGINE}/retention/gc.test.ts`, "a policy with %s %s is refused, and forgets nothing"],
      },
      {
        id: "retention N1 over",
        text: "OVER.has(run.status) && run.owner === null",
        instead: "run.owner === null",
        test: [`${ENGINE}/retention/gc.test.ts`, "age and count decide, and only what is over goes"],
      },
      {
        id: "retention N1 awaited",
        text: " && !awaited.has(run.runId)) // N1",
        instead: ")",
        test: [
          `${ENGINE}/retention/gc.test.ts`,
          "N1: the subflows of a run that goes on stay, with what they continued as and their own; of one that is over they go",
        ],
      },
      {
        id: "retention N1 needed",
        text: "if (!reasons.delete(other)) continue;",
        instead: "continue;",
        test: [
          `${ENGINE}/retention/gc.test.ts`,
          "N1: what a staying run was forked from, or continues, stays, through any number of steps",
        ],
      },
      {
        id: "retention N1 grows",
        text: "staying.push(...[byId.get(other)].filter((found) => found !== undefined));",
        instead: "",
        test: [
          `${ENGINE}/retention/gc.test.ts`,
          "N1: what a staying run was forked from, or continues, stays, through any number of steps",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/retention/collect.ts`,
    guards: [
      {
        id: "retention N6",
        text: "if (!dryRun) await take(deps, removed);",
        instead: "await take(deps, removed);",
        test: [
          `${ENGINE}/retention/collect.test.ts`,
          "N6: a dry run names what would go and changes nothing; the real one does what it showed",
        ],
      },
    ],
  },
];
