import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { expect, onTestFinished, test } from "vitest";
import { ROOT } from "./workspaces.ts";

test("npm start first installs what the sandbox needs of the system, and says so when it cannot", () => {
  const folder = mkdtempSync(join(tmpdir(), "smooth-start-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "sh"), `#!/bin/bash\necho "$@" >> ${folder}/asked\nexit 1\n`);
  chmodSync(join(folder, "sh"), 0o755);

  // A port that is none ends it right after.
  const { status, stdout } = spawnSync(process.execPath, [join(ROOT, "scripts/start.ts")], {
    encoding: "utf8",
    env: { ...process.env, PATH: `${folder}:${process.env["PATH"]}`, PORT: "none" },
  });

  expect(readFileSync(join(folder, "asked"), "utf8")).toBe(`${join(ROOT, "scripts/system-deps")}\n`);
  expect(stdout).toContain("system packages could not be installed");
  expect(status).toBe(4);
});
