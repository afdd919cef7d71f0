import { expect, test } from "vitest";
import { accessOf } from "./access.ts";

const of = (name: string, args: unknown) => accessOf({ name, args: JSON.stringify(args) }, "/workspace").slice(1);

test("names the tool first, always", () => {
  expect(accessOf({ name: "anything", args: "garbage" }, "/workspace")).toEqual([{ kind: "tool", name: "anything" }]);
});

test("files become absolute paths without dots", () => {
  expect(of("read", { path: "src/./a.ts" })).toEqual([{ kind: "read", path: "/workspace/src/a.ts" }]);
  expect(of("list", {})).toEqual([{ kind: "read", path: "/workspace" }]);
  expect(of("edit", { path: "../etc/passwd", old: "a", new: "b" })).toEqual([{ kind: "write", path: "/etc/passwd" }]);
  expect(of("write", { path: "/workspace/../.bashrc", content: "" })).toEqual([{ kind: "write", path: "/.bashrc" }]);
});

test("A1: a command with arguments is judged as the shell would have to spell it", () => {
  expect(of("bash", { cmd: "rm -rf / # hi" })).toEqual([{ kind: "command", command: "rm -rf / # hi" }]);
  expect(of("bash", { cmd: "echo", args: ["it's", "$HOME"], opts: { cwd: "src" } })).toEqual([
    { kind: "command", command: `echo 'it'\\''s' '$HOME'` },
    { kind: "read", path: "/workspace/src" },
  ]);
});

test("arguments the tool would refuse need nothing more", () => {
  expect(of("bash", { command: "ls" })).toEqual([]);
  expect(of("write", { path: "a", content: "", extra: 1 })).toEqual([]);
});
