import type { Gate } from "@smooth/cast/access/gate";
import { accessOf } from "@smooth/tools/access";
import type { ToolGuard, Verdict } from "../wiring/operator-turn.ts";

/** One tool call before Wonk. A call is as free as its least free need: the tool itself, then what its arguments touch.
 *  J1. The operator waits; a cancelled run does not. */

interface Judged {
  readonly workspace: string;
  readonly gate: Gate;
  readonly redact: ToolGuard["redact"];
  readonly inspect: ToolGuard["inspect"];
}

export function toolGuard({ workspace, gate, redact, inspect }: Judged): ToolGuard {
  return {
    redact,
    inspect,
    async judge(call, signal) {
      for (const request of accessOf(call, workspace)) {
        const answer = await orAborted(gate.settle(request), signal);
        if (answer.kind === "refuse") return { kind: "refuse", message: `${answer.message} (rule ${answer.rule})` };
      }
      return { kind: "run" } satisfies Verdict;
    },
  };
}

/** J1 */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
