/** What a thrown error means for its attempt: whether it is made again, by whom, and when. Pure.
 *  T2. A value that does not fit the schema is INVALID_OUTPUT and, for compute tasks, not tried again.
 *  T3. A used-up quota (RATE_LIMITED with the time it ends) is no failed attempt. */
import type { Clock } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import type { TaskLeaf } from "../graph/plan.ts";
import type { ErrorInfo } from "../run/events.ts";
import { describe, peek } from "./peek.ts";

export interface Failure {
  readonly kind: "failed";
  readonly error: ErrorInfo;
  readonly retryable: boolean;
  /** This agent will not work in this run at all (authentication, configuration). */
  readonly agentUnusable: boolean;
  /** The provider takes no more until then; null: it is another kind of failure. */
  readonly quotaUntilMs: number | null;
}

interface FailedAt {
  readonly leaf: TaskLeaf;
  /** Without it no quota is known to end. */
  readonly clock?: Clock;
}

const NEVER_RETRIED = new Set([
  "ASPECT_BUDGET_EXCEEDED",
  "AGENT_CONFIG_INVALID",
  "HUMAN_TASK_CANCELLED",
  "INVALID_INPUT",
  "HEARTBEAT_PAYLOAD_NOT_JSON_SERIALIZABLE",
  "HEARTBEAT_PAYLOAD_TOO_LARGE",
]);

/** The row fits its schema, but no store can hold it. */
export const unwritable = (leaf: TaskLeaf, cause: unknown): Failure =>
  failure(new SmoothError("INVALID_OUTPUT", `the output cannot be recorded: ${describe(cause)}`, { cause }), { leaf });

export function failure(error: unknown, { leaf, clock }: FailedAt): Failure {
  const code = isOurs(error) ? error.code : "TASK_FAILED";
  const refused =
    peek(error, "failureRetryable") === false || peek(peek(error, "details"), "failureRetryable") === false;
  const wrongValue = code === "INVALID_OUTPUT" && leaf.body.mode !== "agent"; // T2
  const thrownCode = peek(error, "code");
  const agentUnusable = thrownCode === "AGENT_CONFIG_INVALID" || thrownCode === "UNAUTHENTICATED";
  return {
    kind: "failed",
    error: { code, message: describe(error).slice(0, 10_000), nodeId: leaf.nodeId },
    retryable: !refused && !wrongValue && !agentUnusable && !NEVER_RETRIED.has(code),
    agentUnusable,
    quotaUntilMs: clock && code === "RATE_LIMITED" ? quotaEnd(peek(error, "details"), clock.now()) : null,
  };
}

/** T3. Only a refusal that says when it ends is a quota. */
function quotaEnd(details: unknown, nowMs: number): number | null {
  const resetAtMs = peek(details, "resetAtMs");
  const afterMs = peek(details, "retryAfterMs");
  const untilMs = typeof resetAtMs === "number" ? resetAtMs : typeof afterMs === "number" ? nowMs + afterMs : NaN;
  return untilMs > nowMs ? untilMs : null;
}

/** A proxy can be thrown too, and it can refuse to say what it is. */
function isOurs(error: unknown): error is SmoothError {
  try {
    return error instanceof SmoothError;
  } catch {
    return false;
  }
}
