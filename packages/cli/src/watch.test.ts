import { RunEvent } from "@smooth/protocol/run-events";
import { expect, test } from "vitest";
import { describe } from "./watch.ts";

const node = { nodeId: "t", iteration: 0, attempt: 3, error: "no luck" };
const at = { runId: "run-00000000000000000001", seq: 9, atMs: 1_000 };
const failed = (willRetryAtMs: number | null): string | null =>
  describe(RunEvent.parse({ ...at, ...node, type: "node.failed", willRetryAtMs }));

test("a failed attempt says when the next one comes, and how to have none; the last one says neither", () => {
  expect(failed(9_000)).toContain("t: attempt 3 failed: no luck; next try in 8 s; retries={0} to stop");
  expect(failed(301_000)).toContain("next try in 5 min");
  expect(failed(null)).toMatch(/t: no luck$/);
});
