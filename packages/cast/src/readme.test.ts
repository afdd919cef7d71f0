import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";

test("the README's example says what it claims", async () => {
  const readme = await readFile(join(import.meta.dirname, "../README.md"), "utf8");
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
  // Inside the package, so that its doors resolve by their public names.
  const folder = await mkdtemp(join(import.meta.dirname, "../.readme-"));
  try {
    await writeFile(join(folder, "example.ts"), example);
    const { answers } = (await import(join(folder, "example.ts"))) as { answers: string[] };
    const claims = [...example.matchAll(/^\/\/ (.*?)(?:…)?$/gm)].map(([, claim]) => claim ?? "");
    expect(claims).toHaveLength(answers.length);
    for (const [index, claim] of claims.entries()) expect(answers[index]?.startsWith(claim.trim())).toBe(true);
  } finally {
    await rm(folder, { recursive: true });
  }
});
