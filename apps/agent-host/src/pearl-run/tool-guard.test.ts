import type { Gate } from "@smooth/cast/access/gate";
import type { AccessRequest } from "@smooth/protocol/policy";
import { createRedactor } from "@smooth/cast/narc/redact";
import { expect, test } from "vitest";
import { toolGuard } from "./tool-guard.ts";

const CALL = { id: "c1", name: "write", args: `{"path":"a.txt","content":"x"}` };

function guardWith(settle: Gate["settle"]) {
  const gate: Gate = { settle, judge: () => Promise.reject(new TypeError("not used")) };
  return toolGuard({ workspace: "/workspace", gate, redactor: createRedactor(), inspect: () => [] });
}

test("a call runs only when every need of it is allowed", async () => {
  const asked: AccessRequest[] = [];
  const guard = guardWith(async (request) => {
    asked.push(request);
    return request.kind === "write" ? { kind: "refuse", rule: "w", message: "no" } : { kind: "allow", rule: "t" };
  });

  expect(await guard.judge(CALL, new AbortController().signal)).toEqual({ kind: "refuse", message: "no (rule w)" });

  expect(asked).toEqual([
    { kind: "tool", name: "write" },
    { kind: "write", path: "/workspace/a.txt" },
  ]);
});

test("a cancelled run does not wait for a person", async () => {
  const guard = guardWith(() => new Promise(() => undefined));
  const cancel = new AbortController();
  const verdict = guard.judge(CALL, cancel.signal);

  cancel.abort(new Error("cancelled"));

  await expect(verdict).rejects.toThrow("cancelled");
});
