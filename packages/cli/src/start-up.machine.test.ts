import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { BIN } from "./testing/run-bin.ts";

function tookMs(args: readonly string[]): number {
  const startedMs = performance.now();
  spawnSync(process.execPath, args);
  return performance.now() - startedMs;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

test("--version costs at most 1.5 times an empty Node", () => {
  const rounds = Array.from({ length: 21 }, () => ({
    empty: tookMs(["-e", "0"]),
    version: tookMs([BIN.th, "--version"]),
  }));
  const ratio = median(rounds.map(({ version }) => version)) / median(rounds.map(({ empty }) => empty));

  expect(spawnSync(process.execPath, [BIN.th, "--version"], { encoding: "utf8" }).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(ratio).toBeLessThan(1.5);
});
