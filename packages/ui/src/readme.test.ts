import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { buildSync } from "esbuild";
import { expect, test } from "vitest";

test("the example in the README runs", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const contents = /```tsx\n(.*?)```/s.exec(readme)?.[1] ?? "";
  const [bundle] = buildSync({
    stdin: { contents, loader: "tsx", resolveDir: import.meta.dirname },
    bundle: true,
    write: false,
    platform: "node",
    jsx: "automatic",
  }).outputFiles;

  const output = execFileSync(process.execPath, ["-"], { input: bundle?.text ?? "", encoding: "utf8" });

  expect(output).toBe("true false\n");
});
