import { readFileSync, writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

test("the README's example gives what its comment says", async () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
  // Beside src, not in it: other tests read whatever lies there.
  const folder = mkdtempSync(join(import.meta.dirname, "../.readme-"));
  const file = join(folder, "example.ts");
  writeFileSync(file, example.replace("await callTool", "export const result = await callTool"));

  const { result } = (await import(file)) as { result: unknown };

  rmSync(folder, { recursive: true });
  expect(result).toEqual({ ok: true, content: "hello" });
});
