/** What an agent's failure means for the run, read from whatever was thrown: our errors, the AI SDK's, anything.
 *  G1. A missing or refused key, an unknown model: AGENT_CONFIG_INVALID, this agent is of no use in this run.
 *  G2. 429 with the time it ends: a quota error. 429 without: an ordinary failure, tried again with backoff.
 *  G3. Another request the provider will never take is not sent again. */
import { SmoothError } from "@smooth/protocol/errors";
import { quotaError } from "./body.ts";
import { describe, peek, peekText } from "./peek.ts";

export function agentFailure(thrown: unknown, nowMs: number): unknown {
  const cause = peek(thrown, "lastError") ?? thrown; // the AI SDK wraps what it tried several times
  const status = peek(cause, "statusCode") ?? peek(cause, "status");
  const message = describe(cause).slice(0, 10_000);
  if (CONFIG_NAMES.has(peekText(cause, "name") ?? "") || CONFIG_STATUSES.has(status))
    // G1
    return new SmoothError("AGENT_CONFIG_INVALID", message, { cause: thrown });
  if (status === 429) {
    const retryAfterMs = saidIn(cause, nowMs) || resetIn(peek(cause, "responseHeaders"), nowMs);
    if (retryAfterMs > 0) return quotaError(message, retryAfterMs); // G2
  }
  if (typeof status === "number" && peek(cause, "isRetryable") === false)
    // G3
    return new SmoothError("TASK_FAILED", message, { cause: thrown, details: { failureRetryable: false } });
  return thrown;
}

const CONFIG_NAMES = new Set(["AI_LoadAPIKeyError", "AI_LoadSettingError", "AI_NoSuchModelError"]);
const CONFIG_STATUSES = new Set<unknown>([401, 403, 404]);

/** What the error itself says: `resetAtMs`, `retryAfterMs`, or `retryAfter` in seconds. */
function saidIn(cause: unknown, nowMs: number): number {
  const [resetAtMs, afterMs, afterS] = ["resetAtMs", "retryAfterMs", "retryAfter"].map((key) =>
    Number(peek(cause, key)),
  );
  return [Number(resetAtMs) - nowMs, Number(afterMs), Number(afterS) * 1_000].find((ms) => ms > 0) ?? 0;
}

/** What `retry-after` says, else the latest of the providers' own headers; 0 when nothing says a time that is still to come. */
function resetIn(headers: unknown, nowMs: number): number {
  const exactMs = Number(peekText(headers, "retry-after-ms") ?? NaN);
  if (exactMs > 0) return exactMs;
  const afterMs = waitOf(peekText(headers, "retry-after"), nowMs);
  return afterMs > 0 ? afterMs : Math.max(...RESET_HEADERS.map((name) => waitOf(peekText(headers, name), nowMs)));
}

const RESET_HEADERS = [
  "anthropic-ratelimit-requests-reset",
  "anthropic-ratelimit-tokens-reset",
  "anthropic-ratelimit-unified-reset",
  "x-ratelimit-reset-requests",
  "x-ratelimit-reset-tokens",
  "x-ratelimit-reset",
];

/** `7`, `1m30s`, `120ms`, an epoch in seconds, or a date. */
function waitOf(text: string | null, nowMs: number): number {
  const said = text?.trim() ?? "";
  const seconds = Number(said);
  if (said === "" || seconds < 0) return 0;
  if (Number.isFinite(seconds)) return seconds > 1_000_000_000 ? seconds * 1_000 - nowMs : seconds * 1_000;
  const span = /^(?:(\d+)h)?(?:(\d+)m(?!s))?(?:([\d.]+)s)?(?:([\d.]+)ms)?$/.exec(said);
  if (!span) return Number.isNaN(Date.parse(said)) ? 0 : Date.parse(said) - nowMs;
  const [hours = 0, minutes = 0, rest = 0, ms = 0] = span.slice(1).map((part) => Number(part ?? 0));
  return ((hours * 60 + minutes) * 60 + rest) * 1_000 + ms;
}
