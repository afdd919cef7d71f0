import { expect, test } from "vitest";
import { patchOf, type PatchedFile } from "./patch.ts";

const text = (content: string) => ({ kind: "file" as const, executable: false, bytes: Buffer.from(content) });
const numbered = (word: string, count: number): string =>
  Array.from({ length: count }, (_, n) => `${word}${n}\n`).join("");

test.each<[string, Pick<PatchedFile, "before" | "after">, string]>([
  ["a new link", { before: null, after: { ...text("a.txt"), kind: "link" } }, "# x: new link\n"],
  ["a new executable", { before: null, after: { ...text("rm"), executable: true } }, "# x: new executable\n"],
  [
    "a link that leads elsewhere",
    { before: { ...text("a"), kind: "link" }, after: { ...text("b"), kind: "link" } },
    "# x: link\n",
  ],
  ["a file made executable", { before: text("a"), after: { ...text("a"), executable: true } }, "file → executable\n"],
  ["a deleted link", { before: { ...text("a"), kind: "link" }, after: null }, "# x: deleted link\n"],
])("P2: %s is told as such", (_, versions, says) => {
  expect(patchOf([{ path: "x", ...versions }])).toContain(says);
});

test("P2: a file that stays a file is told nothing of", () => {
  expect(patchOf([{ path: "x", before: null, after: text("a\n") }])).not.toContain("#");
});

test.each([
  ["text in another order", "if (ok) { \u202E } allow(); \u2066 // \u2069"],
  ["a terminal's command", "evil()\u001B[2K\u001B[1A\n"],
])("P4: %s is called so", (_, content) => {
  const patch = patchOf([{ path: "x", before: null, after: text(content) }]);

  expect(patch).toContain("# x: holds characters that show it as something else\n");
});

test("P3: files that share no line are named with their sizes, in bounded time, however many there are", () => {
  const file = { before: text(numbered("a", 30_000)), after: text(numbered("b", 30_000)) };
  const patch = patchOf(Array.from({ length: 200 }, (_, n) => ({ path: `x${n}`, ...file })));

  expect(patch.split("\n")[0]).toBe("# x0: 198890 bytes → 198890 bytes, too different to be shown here");
  expect(patch.trim().split("\n")).toHaveLength(200);
});

test("P1: what does not fit is named, and what comes after it and fits is shown", () => {
  const patch = patchOf([
    { path: "long", before: null, after: text("x".repeat(60_000)) },
    { path: "short", before: text("old\n"), after: text("new\n") },
  ]);
  expect(patch).toContain("# long: nothing → 60000 bytes, too long to be shown here\n");
  expect(patch).toContain("-old\n+new\n");
});
