import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ownFileRefusal } from "./own-files.node.ts";

const workflow = {
  file: "/repo/flows/flow.tsx",
  source: { entry: "", packages: {}, files: { "flow.tsx": "", "../lib/part.ts": "" } },
};

test.each([
  ["/repo/flows/flow.tsx", "this run is made of it"],
  ["/repo/flows/FLOW.tsx", "this run is made of it"],
  ["/repo/lib/part.ts", "this run is made of it"],
  ["/repo/.husky/pre-commit", "version control runs what is in it"],
  ["/repo/lib/other.ts", null],
])("%s: %s", (path, why) => {
  expect(ownFileRefusal(path, workflow)).toBe(why);
});

test("a workflow's file is known by every way to it", () => {
  const folder = mkdtempSync(join(tmpdir(), "own-files-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "real"));
  writeFileSync(join(folder, "real/flow.tsx"), "");
  symlinkSync("real", join(folder, "link"));

  expect(ownFileRefusal(join(folder, "real/flow.tsx"), { file: join(folder, "link/flow.tsx") })).not.toBeNull();
  expect(ownFileRefusal(join(folder, "link/flow.tsx"), { file: join(folder, "real/flow.tsx") })).not.toBeNull();
});
