/** The table of `npm run check:mutations` cannot rot: its words and its tests are still there. */
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { without } from "../../../infra/mutations/guard.ts";
import { GUARDED } from "../../../infra/mutations/guarded.ts";
import { ROOT } from "./workspaces.ts";

const rows = GUARDED.flatMap(({ file, guards }) => guards.map((guard) => ({ file, guard })));
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");

test("every guard is called by one name, and its words stand exactly once in their file", () => {
  const sources = new Map(GUARDED.map(({ file }) => [file, read(file)]));
  const lost = rows.filter(({ file, guard }) => without(guard, sources.get(file) ?? "") === undefined);

  expect(lost.map(({ file, guard }) => `${guard.id}: ${file}`)).toEqual([]);
  expect(new Set(rows.map(({ guard }) => guard.id)).size).toBe(rows.length);
});

/** A suite that several stores share stands beside the file that runs it. */
const testsBeside = (file: string): string =>
  globSync("*.{test,contract}.{ts,tsx}", { cwd: join(ROOT, dirname(file)) })
    .map((name) => read(join(dirname(file), name)))
    .join("\n")
    .replaceAll(/\\(["'`])/g, "$1");

test("every test that a guard names exists", () => {
  const named = rows.map(({ guard }) => guard.test);
  const texts = new Map(named.map(([file]) => [file, testsBeside(file)]));
  /** First in a call or in a row of a table: other words in quotes are no title. */
  const isThere = (text: string, title: string): boolean =>
    ['"', "'", "`"].some((q) => text.replaceAll(/[([]\s*/g, "(").includes(`(${q}${title}${q},`));

  expect(
    named.filter(([file, title]) => !isThere(texts.get(file) ?? "", title)).map((name) => name.join(": ")),
  ).toEqual([]);
});
