import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

test("the README's example gives what its comment says", async () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
  // Beside src, not in it: other tests read whatever lies there.
  const folder = mkdtempSync(join(import.meta.dirname, "../.readme-"));
  const file = join(folder, "example.ts");
  writeFileSync(file, example.replace("await using", "export const").replace("const models", "export const models"));

  const { demo, models } = (await import(file)) as { demo: AsyncDisposable; models: unknown };

  rmSync(folder, { recursive: true });
  await demo[Symbol.asyncDispose]();
  expect(models).toMatchObject({ data: [{ id: "DEMO-scripted" }] });
});
