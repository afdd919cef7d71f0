/** Every file of examples/ runs offline under Node, from its first task to its end. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PLAYS } from "./plays.ts";
import type { Play, Played } from "./play.ts";

const folder = mkdtempSync(join(tmpdir(), "examples-"));
let played: Readonly<Record<string, Played>> = {};

beforeAll(() => {
  const plays = Object.entries(PLAYS).map(([name, { play }]): Play => ({ name, ...play }));
  writeFileSync(join(folder, "plays.json"), JSON.stringify(plays));
  const args = [join(import.meta.dirname, "play.ts"), join(folder, "plays.json")];
  const env = { ...process.env, SMOOTH_HOME: folder }; // nothing is compiled yet
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8", cwd: folder, env });
  if (status !== 0) throw new Error(stderr);
  played = JSON.parse(stdout) as typeof played;
});
afterAll(() => rmSync(folder, { recursive: true }));

test.each(Object.entries(PLAYS))("%s", (name, { expected }) => {
  expect({ error: undefined, ...played[name] }).toMatchObject({ error: undefined, ...expected });
});

test("every example is played, and there are at least 20", () => {
  const files = readdirSync(join(import.meta.dirname, "../../../../examples")).filter((file) => file.endsWith(".tsx"));

  expect(files.map((file) => file.replace(".tsx", "")).toSorted()).toEqual(Object.keys(PLAYS).toSorted());
  expect(files.length).toBeGreaterThanOrEqual(20);
});
