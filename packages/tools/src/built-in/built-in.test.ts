import { expect, test } from "vitest";
import { callTool, defineTool, type ToolContext } from "../define-tool.ts";
import { describeTools } from "../json-schema.ts";
import { openMemoryWorkspace } from "../workspace/memory-workspace.ts";
import type { Command, Exit, Workspace } from "../workspace/workspace.ts";
import { tools } from "./all.ts";
import { z } from "zod";

const ALL = Object.values(tools);

function context(workspace: Workspace, maxOutputBytes = 10_000): ToolContext {
  return { workspace, signal: new AbortController().signal, maxOutputBytes, idempotencyKey: "k" };
}

const call = (name: string, args: unknown, ctx: ToolContext) =>
  callTool(ALL, { name, args: typeof args === "string" ? args : JSON.stringify(args) }, ctx);

async function textOf(workspace: Workspace, path: string): Promise<string> {
  const bytes = await workspace.read(path, 10_000);
  return bytes.kind === "ok" ? new TextDecoder().decode(bytes.value) : bytes.message;
}

test("D1: unknown tools, bad JSON and bad arguments come back as results that say what to do", async () => {
  const ctx = context(openMemoryWorkspace());

  expect(await call("fly", {}, ctx)).toEqual({ ok: false, content: expect.stringContaining("read, write, edit") });
  expect(await call("read", `{"path": "a`, ctx)).toEqual({
    ok: false,
    content: expect.stringContaining("not valid JSON"),
  });
  expect(await call("read", { file: "a" }, ctx)).toEqual({
    ok: false,
    content: expect.stringMatching(/^invalid arguments for read:[^]*path/),
  });
  expect(await call("read", "null", ctx)).toMatchObject({ ok: false });
});

test("read gives the text, or a part of it by lines", async () => {
  const ctx = context(openMemoryWorkspace({ "a.txt": "1\n2\n3\n4" }));

  expect(await call("read", { path: "a.txt" }, ctx)).toEqual({ ok: true, content: "1\n2\n3\n4" });
  expect(await call("read", { path: "a.txt", offset: 2, limit: 2 }, ctx)).toEqual({ ok: true, content: "2\n3" });
});

test("read refuses a file over the limit and a binary one", async () => {
  const ctx = context(openMemoryWorkspace({ "big.txt": "x".repeat(200), "b.bin": "\0\0" }), 100);

  expect(await call("read", { path: "big.txt" }, ctx)).toEqual({
    ok: false,
    content: expect.stringMatching(/^File too large/),
  });
  expect(await call("read", { path: "b.bin" }, ctx)).toEqual({ ok: false, content: expect.stringContaining("binary") });
});

test("write answers ok; edit takes a passage or a patch", async () => {
  const workspace = openMemoryWorkspace();
  const ctx = context(workspace);

  expect(await call("write", { path: "a.txt", content: "one\ntwo\nthree\n" }, ctx)).toEqual({
    ok: true,
    content: "ok",
  });
  expect(await call("edit", { path: "a.txt", old: "two", new: "$& 2" }, ctx)).toEqual({ ok: true, content: "ok" });
  const patch = "--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n-one\n+ONE\n $& 2\n three\n";
  expect(await call("edit", { path: "a.txt", patch }, ctx)).toEqual({ ok: true, content: "ok" });

  expect(await textOf(workspace, "a.txt")).toBe("ONE\n$& 2\nthree\n");
});

test("an edit that does not fit changes nothing and says why", async () => {
  const workspace = openMemoryWorkspace({ "a.txt": "same\nsame\n" });
  const ctx = context(workspace);
  const patch = "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-other\n+x\n";

  expect(await call("edit", { path: "a.txt", old: "same", new: "x" }, ctx)).toMatchObject({ ok: false });
  expect(await call("edit", { path: "a.txt", old: "none", new: "x" }, ctx)).toMatchObject({ ok: false });
  expect(await call("edit", { path: "a.txt", patch }, ctx)).toEqual({
    ok: false,
    content: expect.stringContaining("Failed to apply patch"),
  });
  expect(await call("edit", { path: "a.txt", patch, old: "same", new: "x" }, ctx)).toMatchObject({ ok: false });
  expect(await call("edit", { path: "none", old: "a", new: "x" }, ctx)).toMatchObject({ ok: false });
  expect(await textOf(workspace, "a.txt")).toBe("same\nsame\n");
});

test("an edit keeps the byte order mark and the ends of lines, and refuses bytes it could not write back", async () => {
  const workspace = openMemoryWorkspace({ "a.txt": "\uFEFFone\r\ntwo\r\n" });
  const latin = new Uint8Array([0x61, 0xe9, 0x0a]);
  await workspace.write("latin.txt", latin);
  const ctx = context(workspace);
  const patch = "--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n-one\n+ONE\n two\n";

  expect(await call("edit", { path: "a.txt", old: "two", new: "2" }, ctx)).toMatchObject({ ok: true });
  await call("edit", { path: "a.txt", patch: patch.replace(" two", " 2") }, ctx);
  expect(await call("edit", { path: "latin.txt", old: "a", new: "b" }, ctx)).toMatchObject({ ok: false });

  expect(await workspace.read("a.txt", 100)).toMatchObject({
    value: new TextEncoder().encode("\uFEFFONE\r\n2\r\n"),
  });
  expect(await workspace.read("latin.txt", 100)).toMatchObject({ value: latin });
});

test("list goes as deep as asked and leaves .git and node_modules closed", async () => {
  const ctx = context(
    openMemoryWorkspace({ "src/a/b.ts": "", "src/c.ts": "", ".git/HEAD": "", "node_modules/x/y.js": "" }),
  );

  expect((await call("list", {}, ctx)).content).toBe(".git/\nnode_modules/\nsrc/");
  expect((await call("list", { depth: 3 }, ctx)).content).toBe(
    ".git/\nnode_modules/\nsrc/\nsrc/a/\nsrc/a/b.ts\nsrc/c.ts",
  );
});

function recording(exit: Exit): { readonly ctx: ToolContext; readonly commands: Command[] } {
  const commands: Command[] = [];
  const workspace = openMemoryWorkspace({}, (command) => {
    commands.push(command);
    return exit;
  });
  return { ctx: context(workspace), commands };
}

test("bash runs a line by a login shell, and a program with arguments as it is", async () => {
  const { ctx, commands } = recording({ kind: "exited", code: 0, output: "hi\n" });

  expect(await call("bash", { cmd: "echo hi | cat" }, ctx)).toEqual({ ok: true, content: "hi\n" });
  await call("bash", { cmd: "echo", args: ["$(date)", "; rm"], opts: { cwd: "src", timeoutMs: 5 } }, ctx);

  expect(commands).toMatchObject([
    { argv: ["bash", "-lc", "echo hi | cat"], timeoutMs: 60_000 },
    { argv: ["echo", "$(date)", "; rm"], cwd: "src", timeoutMs: 5 },
  ]);
});

test("a failing command is a failed result with its code and output", async () => {
  const exited = recording({ kind: "exited", code: 2, output: "boom" });
  const late = recording({ kind: "killed", by: "timeout", output: "half" });

  expect(await call("bash", { cmd: "x" }, exited.ctx)).toEqual({ ok: false, content: "exit code 2\nboom" });
  expect(await call("bash", { cmd: "x" }, late.ctx)).toEqual({
    ok: false,
    content: expect.stringMatching(/timeout[\s\S]*half/),
  });
});

test("grep cannot be talked into options, and no match is an empty success", async () => {
  const { ctx, commands } = recording({ kind: "exited", code: 1, output: "" });

  expect(await call("grep", { pattern: "--pre=evil", path: "-x" }, ctx)).toEqual({ ok: true, content: "" });

  expect(commands[0]?.argv.slice(-4)).toEqual(["-e", "--pre=evil", "--", "-x"]);
});

test("D2: a long result is cut and says so; D1: a crash in a tool is a result", async () => {
  const long = defineTool({ name: "long", description: "", schema: z.object({}), execute: () => "y".repeat(500) });
  const crash = defineTool({
    name: "crash",
    description: "",
    schema: z.object({}),
    execute: () => Promise.reject(new Error("no")),
  });
  const ctx = context(openMemoryWorkspace(), 100);

  expect((await callTool([long], { name: "long", args: "" }, ctx)).content).toContain("400 bytes left out");
  expect(await callTool([crash], { name: "crash", args: "{}" }, ctx)).toEqual({
    ok: false,
    content: "crash failed: no",
  });
});

test("every built-in tool is described by a closed JSON schema", () => {
  for (const { function: described } of describeTools(ALL))
    expect(described.parameters).toMatchObject({ type: "object", additionalProperties: false });
});
