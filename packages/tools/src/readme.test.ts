import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { tools } from "./built-in/all.ts";
import { callTool, defineTool } from "./define-tool.ts";
import { openMemoryWorkspace } from "./workspace/memory-workspace.ts";

test("the README's example gives what its comment says", async () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const lines = /```ts\n([\s\S]*?)```/.exec(readme)?.[1]?.split("\n") ?? [];
  const body = lines
    .filter((line) => !line.startsWith("import"))
    .join("\n")
    .replace("await using", "const");
  const run = new Function(
    "callTool",
    "defineTool",
    "tools",
    "openMemoryWorkspace",
    "z",
    `return (async () => { ${body.replace("await callTool", "return callTool")} })()`,
  ) as (...names: unknown[]) => Promise<unknown>;

  expect(await run(callTool, defineTool, tools, openMemoryWorkspace, z)).toEqual({ ok: true, content: "hello" });
});
