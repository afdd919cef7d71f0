import { expect, test } from "vitest";
import { agentFailure } from "./agent-failure.ts";

const NOW_MS = Date.parse("2026-01-01T00:00:00Z");
const refused = (statusCode: number, responseHeaders: Record<string, string> = {}, isRetryable = statusCode >= 429) =>
  Object.assign(new Error(`status ${statusCode}`), { statusCode, responseHeaders, isRetryable });

test.each([
  ["a refused key", refused(401)],
  ["a forbidden model", refused(403)],
  ["an unknown model", refused(404)],
  ["no key at all", Object.assign(new Error("no key"), { name: "AI_LoadAPIKeyError" })],
  ["the last of several tries", Object.assign(new Error("3 tries"), { lastError: refused(401) })],
])("G1: %s is AGENT_CONFIG_INVALID", (_, thrown) => {
  expect(agentFailure(thrown, NOW_MS)).toMatchObject({ code: "AGENT_CONFIG_INVALID" });
});

test.each([
  [{ "retry-after": "30" }, 30_000],
  [{ "retry-after-ms": "1500", "retry-after": "9" }, 1_500],
  [{ "retry-after": "Thu, 01 Jan 2026 00:01:00 GMT" }, 60_000],
  [{ "x-ratelimit-reset-requests": "120ms", "x-ratelimit-reset-tokens": "6m0s" }, 360_000],
  [{ "x-ratelimit-reset-tokens": "1h2m3.5s" }, 3_723_500],
  [{ "anthropic-ratelimit-tokens-reset": "2026-01-01T02:00:00Z" }, 7_200_000],
  [{ "x-ratelimit-reset": String(NOW_MS / 1_000 + 5) }, 5_000],
  [{ "retry-after": "0", "x-ratelimit-reset-requests": "2s" }, 2_000],
])("G2: 429 with %o ends after %d ms", (headers, retryAfterMs) => {
  expect(agentFailure(refused(429, headers), NOW_MS)).toMatchObject({
    code: "RATE_LIMITED",
    details: { retryAfterMs },
  });
});

const PAST = { "retry-after": "Wed, 31 Dec 2025 00:00:00 GMT" };

test("G2: 429 without a time to come, or with nonsense, stays an ordinary failure", () => {
  for (const headers of [{}, { "retry-after": "soon" }, { "retry-after": "" }, { "retry-after": "-5" }, PAST]) {
    const thrown = refused(429, headers);
    expect(agentFailure(thrown, NOW_MS)).toBe(thrown);
  }
});

test("G3: what the provider will never take is not sent again; what may pass stays as it was", () => {
  const busy = refused(503);

  expect(agentFailure(refused(400), NOW_MS)).toMatchObject({
    code: "TASK_FAILED",
    details: { failureRetryable: false },
  });
  expect(agentFailure(busy, NOW_MS)).toBe(busy);
  expect(agentFailure("nonsense", NOW_MS)).toBe("nonsense");
});
