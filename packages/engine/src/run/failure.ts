/** Errors as the rows and results of a run carry them. */
import { SmoothError } from "@smooth/protocol/errors";
import type { Plan, PlanLoop } from "../graph/plan.ts";
import type { Rest } from "../schedule/schedule.ts";
import type { ErrorInfo } from "./events.ts";
import type { RunState } from "./state.ts";

export function errorInfo(error: unknown): ErrorInfo {
  if (error instanceof SmoothError) return { code: error.code, message: error.message };
  return { code: "INTERNAL", message: error instanceof Error ? error.message : String(error) };
}

/** Names every node that waits, and for what. */
export function deadlock(
  blocked: Rest["blocked"],
  { nodes }: RunState,
  plan: Pick<Plan, "leaves"> | undefined,
): ErrorInfo {
  const waiting = new Set(blocked.map(({ key }) => key));
  const stateOf = (key: string): string => {
    if (waiting.has(key)) return "waits itself";
    const unreached = plan?.leaves.has(key) ? "not begun: it stands after what waits for it" : undefined;
    return nodes.get(key)?.kind ?? unreached ?? "never mounted: is there an element with this id?";
  };
  const said = blocked.map(
    ({ key, dependency }) => `${nodeName(key)} waits for ${nodeName(dependency)} (${stateOf(dependency)})`,
  );
  return {
    code: "DEPENDENCY_DEADLOCK",
    message: said.length > 0 ? said.join("; ") : "nothing can run and the run is not done",
  };
}

/** As authors wrote it; outside of loops the iteration says nothing. */
const nodeName = (key: string): string => key.replace(/::0$/, "");

export const exhausted = ({ loopId, maxIterations }: PlanLoop): ErrorInfo => ({
  code: "RALPH_MAX_REACHED",
  message: `loop ${loopId} used up its ${maxIterations} iterations`,
});
