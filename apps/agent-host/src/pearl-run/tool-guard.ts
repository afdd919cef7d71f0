import type { Gate } from "@smooth/cast/access/gate";
import { accessOf } from "@smooth/tools/access";
import { orAborted } from "./sandboxes.ts";
import type { ToolGuard, Verdict } from "../wiring/operator-turn.ts";

/** One tool call before Wonk. A call is as free as its least free need: the tool itself, then what its arguments touch.
 *  J1. The operator waits for a person as long as it takes; a cancelled run does not. */

interface Judged {
  readonly workspace: string;
  readonly gate: Gate;
  readonly redactor: ToolGuard["redactor"];
  readonly inspect: ToolGuard["inspect"];
}

export function toolGuard({ workspace, gate, redactor, inspect }: Judged): ToolGuard {
  return {
    redactor,
    inspect,
    async judge(call, signal) {
      for (const request of accessOf(call, workspace)) {
        const answer = await orAborted(gate.settle(request), signal); // J1
        if (answer.kind === "refuse") return { kind: "refuse", message: `${answer.message} (rule ${answer.rule})` };
      }
      return { kind: "run" } satisfies Verdict;
    },
  };
}
