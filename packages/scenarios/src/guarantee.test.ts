import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT, workspaces } from "./workspaces.ts";

/** The engine's page names the tests that prove its guarantee: a renamed test must be renamed there. */
const page = readFileSync(join(ROOT, "packages/engine/README.md"), "utf8");
const rows = page.split("\n").filter((line) => line.startsWith("|") && /`[^`]+ [^`]+`/.test(line));
const guarantee = rows.slice(rows.findIndex((line) => line.includes("recorded at most once")));
const titles = guarantee
  .filter((line) => !line.includes("`./"))
  .flatMap((line) => [...line.matchAll(/`([^`]{20,})`/g)].map(([, title = ""]) => title));

const tests = workspaces()
  .flatMap(({ sources }) => sources)
  .filter((file) => /\.(test|contract)\.tsx?$/.test(file))
  .map((file) => readFileSync(join(ROOT, file), "utf8"));

test("every sentence of the engine's guarantee names tests that exist", () => {
  expect(titles.length).toBeGreaterThan(10);
  expect(titles.filter((title) => !tests.some((text) => text.includes(title)))).toEqual([]);
});
