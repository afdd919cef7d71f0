import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ERRORS } from "@smooth/protocol/errors";
import { GATEWAY } from "@smooth/protocol/gateway";
import { describe, expect, test } from "vitest";
import { ROOT, workspaces } from "./workspaces.ts";

/** The floors of the house. A package imports only lower floors; same-floor neighbours meet in a composition root. */
const FLOORS = [
  ["protocol", "platform"],
  ["engine", "tools", "gateway", "tunnel", "pearls", "vm", "vcs", "db"],
  ["workflow", "agents", "cast", "api", "ui", "cli"],
  ["smithers-orchestrator"],
  ["web", "rendezvous", "agent-host"],
  ["scenarios"],
];
const floorOf = (name: string) => FLOORS.findIndex((floor) => floor.includes(name));

/** Rooms that know no clock, no disk, no network: everything reaches them as an argument. `*.node.ts` names the exceptions. */
const PURE = ["protocol", "engine", "workflow", "pearls", "tunnel", "cast"];

describe.each(workspaces())("$name", ({ name, dir, declared, imported, doors, sources }) => {
  test("stands on a floor", () => {
    expect(floorOf(name)).toBeGreaterThanOrEqual(0);
  });

  test("imports only from floors below it", () => {
    expect(imported.filter((other) => floorOf(other) >= floorOf(name))).toEqual([]);
  });

  test("declares every workspace it imports, and imports every one it declares", () => {
    expect(imported.filter((other) => !declared.includes(other))).toEqual([]);
    expect(declared.filter((other) => !imported.includes(other))).toEqual([]);
  });

  test("opens named doors to sources that exist", () => {
    for (const [door, target] of Object.entries(doors)) {
      expect(door).not.toContain("*");
      expect(existsSync(join(ROOT, dir, target)), `${name} ${door} -> ${target}`).toBe(true);
    }
  });

  test("keeps node:* out of pure files", () => {
    if (!PURE.includes(name)) return;
    const impure = sources
      .filter((file) => !/\.(node|test|contract)\.tsx?$/.test(file) && !file.includes("/testing/"))
      .filter((file) => /from "node:/.test(readFileSync(join(ROOT, file), "utf8")));
    expect(impure).toEqual([]);
  });
});

test("nobody keeps something called legacy, v2, old or temp", () => {
  const leftovers = workspaces()
    .flatMap(({ sources }) => sources)
    .filter((file) => /(^|[/.-])(legacy|v2|old|temp|tmp|utils|helpers|misc)([/.-]|$)/.test(file));
  expect(leftovers).toEqual([]);
});

/** What ships: no tests, no test equipment, not the tables themselves. */
const shipped = workspaces()
  .flatMap(({ sources }) => sources)
  .filter((file) => !/\.(test|contract|story)\.tsx?$|\/testing\/|^packages\/(protocol|scenarios)\//.test(file))
  .map((file) => ({ file, text: readFileSync(join(ROOT, file), "utf8") }));

test("every error code is raised somewhere", () => {
  const everything = shipped.map(({ text }) => text).join("\n");
  const unraised = Object.keys(ERRORS).filter((code) => !new RegExp(`(?<!(?:[!=]==|case) )"${code}"`).test(everything));
  expect(unraised).toEqual([]);
});

test("every gateway method is called by the command line, a page or the live session", () => {
  const callers = shipped.filter(({ file }) => /^(packages\/cli|apps\/web|apps\/agent-host\/src\/live)\//.test(file));
  const uncalled = Object.keys(GATEWAY).filter((method) => !callers.some(({ text }) => text.includes(`"${method}"`)));
  expect(uncalled).toEqual([]);
});
