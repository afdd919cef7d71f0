import { AskSubject } from "@smooth/protocol/asks";
import { expect, test } from "vitest";
import { approvalSubject } from "./approval-subject.ts";

const at = { nodeId: "gate", iteration: 2 };
const redact = (text: string): string => text.replaceAll("hush-1", "[redacted]");

test("S1, S2: who decides reads its words, the options, what is said beside them, and the patch, without secrets", () => {
  const options = [
    { key: "hush-1", label: "Blue hush-1", summary: "calm", metadata: {} },
    { key: "b", label: "Green" },
  ];
  const metadata = { cost: 3, note: "hush-1" };
  const asked = approvalSubject({ ...at, mode: "select", request: { title: "Which?", options, metadata } }, redact);
  const written = { title: "Write it hush-1", summary: "1 file", metadata: { patch: "+hush-1\n", paths: ["a"] } };
  const review = approvalSubject({ ...at, mode: "approve", request: written }, redact);

  expect(asked).toEqual({
    kind: "approval",
    ...at,
    title: "Which?",
    choice: {
      mode: "select",
      options: [
        { key: "hush-1", label: "Blue [redacted]", summary: "calm" },
        { key: "b", label: "Green" },
      ],
    },
    details: '{\n  "cost": 3,\n  "note": "[redacted]"\n}',
  });
  expect(review).toEqual({
    kind: "approval",
    ...at,
    title: "Write it [redacted]",
    summary: "1 file",
    patch: "+[redacted]\n",
  });
  expect([AskSubject.parse(asked), AskSubject.parse(review)]).toEqual([asked, review]);
});

test("S1: what is too long is cut, and says how much is missing", () => {
  const request = { title: "t", summary: "x".repeat(20_007) };
  const { summary } = approvalSubject({ ...at, mode: "approve", request }, redact);

  expect(summary).toBe(`${"x".repeat(20_000)}\n… 7 more characters are not shown`);
});
