/** What stands beside a run: results scored and remembered, alerts, hot reload, memory. */
import type { GuardedFile } from "../guard.ts";
import { RULES, ENGINE } from "../rooms.ts";

export const BESIDE_GUARDS: readonly GuardedFile[] = [
  {
    file: `${ENGINE}/memory/store.ts`,
    guards: [
      {
        id: "memory topK",
        text: `checkCount("topK of recall", topK);`,
        instead: "",
        test: [`${ENGINE}/memory/memory.test.ts`, "a limit, or a topK, of %s is refused by its name"],
      },
      {
        id: "memory limit",
        text: `checkCount("limit of listMessages", limit);`,
        instead: "",
        test: [`${ENGINE}/memory/memory.test.ts`, "a limit, or a topK, of %s is refused by its name"],
      },
    ],
  },
  {
    file: `${ENGINE}/graph/leaves/aftermath-props.ts`,
    guards: [
      {
        id: "task topK",
        text: "  checkTopK(element);",
        instead: "",
        test: [`${RULES}/bad-input.test.tsx`, "a recall of the %s best facts is refused by name"],
      },
    ],
  },
  {
    file: `${ENGINE}/run/aftermath.ts`,
    guards: [
      {
        id: "aftermath F2",
        text: "if (this.#started.has(job)) return;",
        instead: "",
        test: [`${RULES}/aftermath.test.tsx`, "F2: after a crash only those that had not answered run again"],
      },
      {
        id: "aftermath F3",
        text: "await memory.remember(`${runId}:${stateKey(result)}`,",
        instead: "await memory.remember(`${Math.random()}`,",
        test: [
          `${RULES}/aftermath.test.tsx`,
          "F3: a crash between the result and its memory neither loses nor doubles it",
        ],
      },
      {
        id: "aftermath no failure",
        text: `return { type: "memory.failed", nodeId, iteration, during: "remember", error: errorInfo(error) };`,
        instead: "throw error;",
        test: [
          `${RULES}/aftermath.test.tsx`,
          "a failing or missing store is a visible event, and the task goes on without it",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/hot/reload.ts`,
    guards: [
      {
        id: "hot H1",
        text: "if (problem) throw problem; // H1",
        instead: "",
        test: [`${RULES}/hot-reload.test.tsx`, "H1: a removed output is refused"],
      },
      {
        id: "hot H2",
        text: "run.exchange(next);",
        instead: `try {
        run.exchange(next);
      } catch {
        // it is used all the same
      }`,
        test: [`${RULES}/hot-reload.test.tsx`, "H2: a workflow that %s is refused, and the old one goes on"],
      },
      {
        id: "hot H4",
        text: `run.record({ type: "run.reload-refused", error: refusal });`,
        instead: "",
        test: [`${RULES}/hot-reload.test.tsx`, "H1: %s is refused, and the old workflow goes on"],
      },
      {
        id: "hot H4 one by one",
        text: "const outcome = last.then(() => once(load));",
        instead: "const outcome = once(load);",
        test: [
          `${RULES}/hot-reload.test.tsx`,
          "H4: reloads come one after the other: the one that was asked for last is used, however slow the first is",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/alerts/alerts.ts`,
    guards: [
      {
        id: "alerts A2",
        text: `if (event.type === "alert.raised") this.#open.set(key, event);`,
        instead: `if (event.type === "alert.raised") void 0;`,
        test: [
          `${RULES}/alerts.test.tsx`,
          "A2: a resumed run neither forgets nor repeats an alert; a reaction that was cut off is done",
        ],
      },
      {
        id: "alerts A2 failed",
        text: "const failed = await this.#perform(raised).catch(errorInfo);",
        instead: "const failed = await this.#perform(raised).catch(() => undefined);",
        test: [
          `${RULES}/alerts.test.tsx`,
          "deliver tells a destination; A3: one that fails is an event, and the run goes on",
        ],
      },
      {
        id: "alerts A3",
        text: "if (this.#run.isOver()) return this.#afterTheEnd(about); // A3",
        instead: "",
        test: [
          `${RULES}/alerts.test.tsx`,
          "A3: the end of the run is delivered and logged, though no event can follow it",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/memory/sqlite-backend.ts`,
    guards: [
      {
        id: "memory M3",
        text: "if (changes === 0) return false; // M3",
        instead: "",
        test: [
          `${ENGINE}/memory/memory.test.ts`,
          "M3: what a source remembered is not written twice, also when the fact changed meanwhile",
        ],
      },
      {
        id: "memory M2",
        text: "ORDER BY seq DESC LIMIT ?",
        instead: "ORDER BY content DESC LIMIT ?",
        test: [
          `${ENGINE}/memory/memory.test.ts`,
          "M2: messages come back in the order they were saved, the last ones by limit",
        ],
      },
      {
        id: "memory M1 expired",
        text: `"(expires_at_ms IS NULL OR expires_at_ms > ?)"`,
        instead: `"(1 OR expires_at_ms > ?)"`,
        test: [
          `${ENGINE}/memory/memory.test.ts`,
          "M1: a fact past its time is not there, before and after it is collected",
        ],
      },
      {
        id: "memory M4 rank",
        text: "ORDER BY bm25(_smithers_memory_words), key",
        instead: "ORDER BY key",
        test: [
          `${ENGINE}/memory/memory.test.ts`,
          "M4: the fact that says more of the query, and its rarer words, comes first",
        ],
      },
    ],
  },
];
