/** How one owner's work on a run ends. */
import { SmoothError } from "@smooth/protocol/errors";
import type { Row } from "../outputs/table.ts";
import type { StatusChange } from "../store/port.ts";
import type { ErrorInfo, RunEventBody, RunStatus } from "./events.ts";
import type { RunState } from "./state.ts";
import type { Suspension } from "./waits/waits.ts";

export type RunResult =
  | { readonly status: "finished"; readonly runId: string; readonly output: Row | undefined }
  /** A row, not a process: somebody or something has to settle a wait. */
  | (Suspension & { readonly runId: string })
  | {
      readonly status: "failed";
      readonly runId: string;
      readonly error: ErrorInfo;
      readonly failedChildren: readonly ErrorInfo[];
    }
  | { readonly status: "cancelled"; readonly runId: string }
  /** This one is over; its work goes on in another run, which this process holds already. */
  | { readonly status: "continued"; readonly runId: string; readonly nextRunId: string }
  /** A person paused it; only `unpauseRun`, or a person's resume, goes on with it. */
  | { readonly status: "paused"; readonly runId: string }
  /** Let go by this process on purpose; `findResumable` lists it. */
  | { readonly status: "released"; readonly runId: string }
  /** Another owner took it over. */
  | { readonly status: "lost"; readonly runId: string };

/** Why a run is asked to end before it is done. */
export type Stop =
  | { readonly status: "failed"; readonly error: ErrorInfo }
  | { readonly status: "cancelled" }
  | { readonly status: "released" }
  | { readonly status: "lost" };

/** What the last commit of this owner says of the run, and the event that tells it. A run let go, or lost, is still running. */
export function lastChange(
  end: RunResult,
  error: ErrorInfo | null,
): { change: Omit<StatusChange, "seenSeq">; event: RunEventBody | null } {
  const status: RunStatus = end.status === "released" || end.status === "lost" ? "running" : end.status;
  const change = { status, error, wakeAtMs: "wakeAtMs" in end ? end.wakeAtMs : null };
  if (status === "running") return { change, event: null };
  const next = "nextRunId" in end ? { nextRunId: end.nextRunId } : {};
  return { change, event: { type: "run.status", status, ...(error ? { error } : {}), ...next } };
}

/** What a run that was stopped comes to; a failed one lists every node that failed. */
export function stopped(runId: string, stop: Stop, { nodes }: Pick<RunState, "nodes">): RunResult {
  if (stop.status !== "failed") return { status: stop.status, runId };
  const failedChildren = [...nodes.values()].flatMap((node) => (node.kind === "failed" ? [node.error] : []));
  return { status: "failed", runId, error: stop.error, failedChildren };
}

/** What running bodies are aborted with. */
export const whyStopped = ({ status }: Stop): SmoothError =>
  new SmoothError("TASK_ABORTED", `the run ends: ${status}`, { details: { status } });
