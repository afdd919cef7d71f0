import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

test("the example in the README runs", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const example = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? "";

  const output = execFileSync(process.execPath, ["--input-type=module-typescript", "-e", example], {
    cwd: import.meta.dirname,
    encoding: "utf8",
  });
  expect(output).toBe("[ 'Oil the door' ]\n");
});
