/** What stands beside a run: results scored and remembered, alerts, hot reload, memory. */
import type { GuardedFile } from "../guard.ts";
import { RULES, ENGINE } from "../rooms.ts";

export const BESIDE: readonly GuardedFile[] = [
  {
    file: `${ENGINE}/run/aftermath.ts`,
    guards: [
      {
        id: "aftermath F2",
        text: "if (this.#started.has(job)) return;",
        instead: "",
        test: [`${RULES}/aftermath.test.tsx`, '${ctx.output(outputs.n, "base").n} ${ctx.output(outputs.n, "a").n}'],
      },
      {
        id: "aftermath F3",
        text: "await memory.remember(`${runId}:${stateKey(result)}`,",
        instead: "await memory.remember(`${Math.random()}`,",
        test: [`${RULES}/aftermath.test.tsx`, '${ctx.output(outputs.n, "base").n} ${ctx.output(outputs.n, "a").n}'],
      },
      {
        id: "aftermath no failure",
        text: `return { type: "memory.failed", nodeId, iteration, during: "remember", error: errorInfo(error) };`,
        instead: "throw error;",
        test: [`${RULES}/aftermath.test.tsx`, '${ctx.output(outputs.n, "base").n} ${ctx.output(outputs.n, "a").n}'],
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
        test: [`${RULES}/hot-reload.test.tsx`, '${ctx.output(outputs.n, "base").n} ${ctx.output(outputs.n, "a").n}'],
      },
      {
        id: "hot H4",
        text: `run.record({ type: "run.reload-refused", error: refusal });`,
        instead: "",
        test: [`${RULES}/hot-reload.test.tsx`, '${ctx.output(outputs.n, "base").n} ${ctx.output(outputs.n, "a").n}'],
      },
    ],
  },
  {
    file: `${ENGINE}/alerts/alerts.ts`,
    guards: [
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
];
