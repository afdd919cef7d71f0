import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { expect, test } from "vitest";

const CHILD = `
import { mkdtempSync, rmSync } from "node:fs";
import { bundler } from ${JSON.stringify(join(import.meta.dirname, "bundler.node.ts"))};
const began = process.cwd();
const first = bundler().transformSync("1 as number", { loader: "ts" }).code;
process.chdir(mkdtempSync(began + "-next-"));
rmSync(began, { recursive: true });
const { outputFiles } = await bundler().build({ stdin: { contents: "export const a: number = 1" , loader: "ts" }, write: false });
rmSync(process.cwd(), { recursive: true });
console.log(first + outputFiles[0].text);
process.exit();
`;

test("B1: it bundles although the folders it was loaded and first used in are gone", () => {
  const folder = mkdtempSync(join(tmpdir(), "bundler-"));
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", CHILD], {
    cwd: folder,
    encoding: "utf8",
  });
  rmSync(folder, { recursive: true, force: true });

  expect({ stdout, stderr }).toEqual({ stdout: expect.stringContaining("export const a = 1;") as string, stderr: "" });
});
