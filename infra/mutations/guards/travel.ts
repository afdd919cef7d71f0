/** Going back. */
import type { GuardedFile } from "../guard.ts";
import { RULES, ENGINE } from "../rooms.ts";

export const TRAVEL_GUARDS: readonly GuardedFile[] = [
  {
    file: `${ENGINE}/time-travel/reset.ts`,
    guards: [
      {
        id: "travel Z7",
        text: "return ended && !taken.has(key) && !isGivenUp(within, scopes);",
        instead: "return false;",
        test: [
          `${RULES}/time-travel.test.tsx`,
          "Z7: takes along what the failure cut off, and not what a try gave up (without dependents: %s)",
        ],
      },
      {
        id: "travel Z7 failed",
        text: `|| (kind === "failed" && !continueOnFail)`,
        instead: "",
        test: [`${RULES}/cuts.test.tsx`, "a run %s ends the same when it is forked at any event"],
      },
      {
        id: "travel Z7 frame",
        text: "...deadEnds(then, { ...reset, scopes: [] })",
        instead: "",
        test: [`${RULES}/cuts.test.tsx`, "a run %s ends the same when it is rewound to any event"],
      },
      {
        id: "reset Z1 later pass",
        text: "return later > 0 || (later === 0 && reached.has(otherId));",
        instead: "return later === 0 && reached.has(otherId);",
        test: [
          `${ENGINE}/time-travel/reset.test.ts`,
          "a step in an inner pass takes the rest of that pass, later passes of both loops, and what follows",
        ],
      },
      {
        id: "reset Z1 order",
        text: "return later > 0 || (later === 0 && reached.has(otherId));",
        instead: "return later > 0;",
        test: [`${ENGINE}/time-travel/reset.test.ts`, "of %s: %j"],
      },
      {
        id: "reset Z2",
        text: "return sinceSeq > own.endedSeq;",
        instead: "return false;",
        test: [
          `${ENGINE}/time-travel/reset.test.ts`,
          "Z2: what left the tree goes when it began after the target had ended, and stays when before",
        ],
      },
      {
        id: "reset Z3 around",
        text: "return pass === iteration ? [] : [{ loopId, iteration: pass === 0 ? null : pass }];",
        instead: "return [];",
        test: [
          `${ENGINE}/time-travel/reset.test.ts`,
          "a step in an inner pass takes the rest of that pass, later passes of both loops, and what follows",
        ],
      },
      {
        id: "reset Z3 after",
        text: "return comesAfter({ nodeId: loopId, iteration: 0 }, sinceSeq) ? [{ loopId, iteration: null }] : [];",
        instead: "return [];",
        test: [
          `${ENGINE}/time-travel/reset.test.ts`,
          "a step in an inner pass takes the rest of that pass, later passes of both loops, and what follows",
        ],
      },
      {
        id: "reset Z4",
        text: "node.lastSeq > seq",
        instead: "node.beganSeq > seq",
        test: [`${ENGINE}/time-travel/reset.test.ts`, "seed %i"],
      },
      {
        id: "reset Z5",
        text: "=> ({ nodeId, iteration, attempt });",
        instead: "=> ({ nodeId, iteration, attempt: 0 });",
        test: [
          `${ENGINE}/time-travel/reset.test.ts`,
          "Z5: after a reset, and after another one, the next attempt has a higher number",
        ],
      },
      {
        id: "reset Z6 body",
        text: `if (part === "body") return [{ scopeId, failed: null }];`,
        instead: "",
        test: [`${ENGINE}/time-travel/reset.test.ts`, "a step of the body undoes the failure and its handler"],
      },
      {
        id: "reset Z6 catch",
        text: `first.next === "catch" ? [{ scopeId, failed: first }] : []`,
        instead: "false ? [] : []",
        test: [`${ENGINE}/time-travel/reset.test.ts`, "a step of the handler leaves the first failure as it was"],
      },
      {
        id: "reset alone",
        text: "if (past === undefined) return",
        instead: "if (true) return",
        test: [`${ENGINE}/time-travel/reset.test.ts`, "a pass that is over cannot be reset alone"],
      },
    ],
  },
  {
    file: `${ENGINE}/time-travel/edges.ts`,
    guards: [
      {
        id: "edges G1",
        text: "at = next;",
        instead: "",
        test: [`${ENGINE}/time-travel/reset.test.ts`, "of %s: %j"],
      },
      {
        id: "edges G2",
        text: "around.includes(loop) ? [] : [[to, from]]",
        instead: "[[to, from]]",
        test: [
          `${ENGINE}/time-travel/reset.test.ts`,
          "a step in an inner pass takes the rest of that pass, later passes of both loops, and what follows",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/time-travel/send-back.ts`,
    guards: [
      {
        id: "travel B4",
        text: "if (waits && !OVER.has(parent.status)) return;",
        instead: "return;",
        test: [`${RULES}/subflow-lives.test.tsx`, "is refused when the parent %s: nobody would read it"],
      },
      {
        id: "send back B1",
        text: "if (force || mayClaim(",
        instead: "if (true || mayClaim(",
        test: [
          `${RULES}/time-travel.test.tsx`,
          "a run that somebody works on is refused; forced, that owner records nothing more",
        ],
      },
      {
        id: "send back B2",
        text: `    epoch: run.epoch,
`,
        instead: `    epoch: (await store.run(run.runId))?.epoch ?? 0,
`,
        test: [
          `${RULES}/rewind.test.tsx`,
          "all or nothing: when the run moves on in the meantime, the files are put back",
        ],
      },
      {
        id: "send back B2 stale",
        text: `if (result === "stale")`,
        instead: "if (false)",
        test: [
          `${RULES}/rewind.test.tsx`,
          "all or nothing: when the run moves on in the meantime, the files are put back",
        ],
      },
      {
        id: "send back B3",
        text: `if (deps.vcs && files.length > 0) await withFiles({ vcs: deps.vcs, runId, to: files, ...undoOf(way) }, write); // B3
  else await write();`,
        instead: `await write();
  if (deps.vcs && files.length > 0) await withFiles({ vcs: deps.vcs, runId, to: files, ...undoOf(way) }, async () => {});`,
        test: [
          `${RULES}/rewind.test.tsx`,
          "all or nothing: when the run moves on in the meantime, the files are put back",
        ],
      },
      {
        id: "send back continued",
        text: `if (run.status === "continued")`,
        instead: "if (false)",
        test: [`${RULES}/time-travel.test.tsx`, "a run that went on as another one is not sent back"],
      },
    ],
  },
  {
    file: `${ENGINE}/time-travel/files.ts`,
    guards: [
      {
        id: "files F1 put back",
        text: "await putBack(vcs, undo, cause);",
        instead: "",
        test: [
          `${RULES}/rewind.test.tsx`,
          "all or nothing: when the run moves on in the meantime, the files are put back",
        ],
      },
      {
        id: "files F1 named",
        text: "await onUndo?.(undo);",
        instead: "",
        test: [
          `${RULES}/rewind.test.tsx`,
          "a process that died in the middle blocks nobody: its files are put back by whoever comes next",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/time-travel/rewind.ts`,
    guards: [
      {
        id: "rewind R1 refused",
        text: 'await deps.store.beginTravel({ ...row, result: "refused", detail: `${refusal.code}: ${refusal.message}` });',
        instead: "",
        test: [
          `${RULES}/rewind.test.tsx`,
          "without a literal confirm, beyond the run, or while another one is under way: refused and audited",
        ],
      },
      {
        id: "rewind R2",
        text: `  if (busy)
`,
        instead: `  if (false)
`,
        test: [
          `${RULES}/rewind.test.tsx`,
          "without a literal confirm, beyond the run, or while another one is under way: refused and audited",
        ],
      },
      {
        id: "rewind R3",
        text: "if (spent.length >= QUOTA)",
        instead: "if (false)",
        test: [`${RULES}/rewind.test.tsx`, "the eleventh within an hour is refused; an hour later it is not"],
      },
      {
        id: "rewind R3 hour",
        text: "clock.now() - travel.atMs < QUOTA_WINDOW_MS",
        instead: "true",
        test: [`${RULES}/rewind.test.tsx`, "the eleventh within an hour is refused; an hour later it is not"],
      },
      {
        id: "rewind R4",
        text: "await recoverRewinds(deps, runId);",
        instead: "",
        test: [
          `${RULES}/rewind.test.tsx`,
          "a process that died in the middle blocks nobody: its files are put back by whoever comes next",
        ],
      },
      {
        id: "rewind R4 lease",
        text: "deps.clock.now() - beatAtMs > LEASE_MS",
        instead: "false",
        test: [
          `${RULES}/rewind.test.tsx`,
          "R4: a rewind that another host left under way holds the run for a minute, and no longer",
        ],
      },
      {
        id: "rewind R4 renewed",
        text: "void renew(deps, travelId, over.signal);",
        instead: "",
        test: [
          `${RULES}/rewind.test.tsx`,
          "R4: however long the files of a rewind take, another host does not break into it",
        ],
      },
      {
        id: "rewind R4 host",
        text: "owner.host === deps.owner.host ?",
        instead: "true ?",
        test: [
          `${RULES}/rewind.test.tsx`,
          "R4: a rewind that another host left under way holds the run for a minute, and no longer",
        ],
      },
      {
        id: "rewind R4 happened",
        text: `if (events.some((event) => event.type === "nodes.reset" && event.travelId === left.travelId))`,
        instead: "if (false)",
        test: [
          `${RULES}/rewind.test.tsx`,
          "R4: a process that died after its reset was recorded has rewound: the audit says so, and the files stay",
        ],
      },
      {
        id: "rewind confirm",
        text: "if ((confirm as unknown) !== true)",
        instead: "if (false)",
        test: [
          `${RULES}/rewind.test.tsx`,
          "without a literal confirm, beyond the run, or while another one is under way: refused and audited",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/time-travel/fork.ts`,
    guards: [
      {
        id: "fork K4",
        text: "...dueOfLast(past, atSeq, kept),",
        instead: "",
        test: [`${RULES}/aftermath.test.tsx`, "K4: a fork that ends right after a result scores and remembers it"],
      },
      {
        id: "fork K4 kept",
        text: " || !kept.has(stateKey(next))",
        instead: "",
        test: [`${RULES}/aftermath.test.tsx`, "K4: a fork that ends right after a result scores and remembers it"],
      },
      {
        id: "fork K2",
        text: "...openWaits(recorded.events), ",
        instead: "",
        test: [`${RULES}/fork.test.tsx`, "K2: a timer that was running at the frame counts from the fork's own start"],
      },
      {
        id: "fork K3",
        text: "source: workflow.source ?? null,",
        instead: "source: origin.metadata.source,",
        test: [
          `${RULES}/fork.test.tsx`,
          "K3: a fork belongs to the files it is made with, and is no mismatch when it starts",
        ],
      },
      {
        id: "fork input",
        text: "parseInput(workflow.inputSchema, run.input);",
        instead: "",
        test: [
          `${RULES}/fork.test.tsx`,
          "a fork with an input that the workflow does not take is refused, and there is no fork",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/time-travel/history.ts`,
    guards: [
      {
        id: "history H1",
        text: "if (!table || untilSeq <= seq) continue;",
        instead: "continue;",
        test: [`${RULES}/fork.test.tsx`, "a frame from before a reset is forked with the rows of that time"],
      },
      {
        id: "history H1 later",
        text: "if (!table || untilSeq <= seq) continue;",
        instead: "if (!table) continue;",
        test: [`${RULES}/fork.test.tsx`, "a frame from before a reset is forked with the rows of that time"],
      },
    ],
  },
  {
    file: `${ENGINE}/time-travel/node-diff.ts`,
    guards: [
      {
        id: "diffs D1",
        text: "flying.get(key) ?? compute",
        instead: "compute",
        test: [
          `${RULES}/time-travel.test.tsx`,
          "a bundle shows what one attempt did; two askers share one computation; what is too large is named",
        ],
      },
      {
        id: "diffs D2",
        text: "if (bytes <= left)",
        instead: "if (true)",
        test: [
          `${RULES}/time-travel.test.tsx`,
          "a bundle shows what one attempt did; two askers share one computation; what is too large is named",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/time-travel/side-effects.ts`,
    guards: [
      {
        id: "side effects E1",
        text: "if (force || effects.length === 0) return;",
        instead: "return;",
        test: [`${RULES}/time-travel.test.tsx`, "a call that cannot be undone is named and blocks, unless forced"],
      },
      {
        id: "side effects E1 since",
        text: "if (event.seq < (since.get(stateKey(event)) ?? Infinity)) return [];",
        instead: "",
        test: [`${RULES}/time-travel.test.tsx`, "E1: what was called before a reset is not in the way of the next one"],
      },
    ],
  },
];
