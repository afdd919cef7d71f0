import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { BIN } from "./testing/run-bin.ts";

interface Coverage {
  readonly result: readonly { readonly url: string }[];
}

test("--version loads the door of the program and nothing behind it", () => {
  const folder = mkdtempSync(join(tmpdir(), "start-up-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const env = { ...process.env, NODE_V8_COVERAGE: folder };

  const { stdout } = spawnSync(process.execPath, [BIN.th, "--version"], { encoding: "utf8", env });

  const loaded = readdirSync(folder).flatMap(
    (name) => (JSON.parse(readFileSync(join(folder, name), "utf8")) as Coverage).result,
  );
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(loaded.flatMap(({ url }) => (url.startsWith("file:") ? basename(url) : []))).toEqual(["th.mjs", "door.mjs"]);
});

test.each([["status"], ["up"], ["up", "--detach"]])(
  "a home that cannot be made is named at once by `th %s`, with the way out",
  (...args) => {
    const { PATH = "" } = process.env;
    const env = { PATH, SMOOTH_HOME: "/proc/nope" };

    const { status, stdout, stderr } = spawnSync(process.execPath, [BIN.th, ...args], {
      encoding: "utf8",
      env,
      timeout: 50_000, // less than a start is waited for
    });

    expect([status, stdout]).toEqual([4, ""]);
    expect(stderr).toMatch(/\/proc\/nope .* cannot be made \(ENOENT\); set SMOOTH_HOME to a folder/);
  },
);
