import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { openNodeWorkspace } from "./node-workspace.node.ts";
import type { Command, Workspace } from "./workspace.ts";
import { runWorkspaceContract } from "./workspace.contract.ts";

const scratch: string[] = [];
afterEach(() => scratch.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

function folder(files: Record<string, string> = {}): string {
  const base = mkdtempSync(join(tmpdir(), "workspace-"));
  scratch.push(base);
  const root = join(base, "root");
  mkdirSync(root);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

let opened = 0;
function open(root: string): Workspace {
  return openNodeWorkspace(root, {
    env: { PATH: process.env["PATH"], HOME: root },
    marker: `workspace-test-${process.pid}-${(opened += 1)}`,
  });
}

const sh = (line: string, more: Partial<Command> = {}): Command => ({
  argv: ["bash", "-c", line],
  timeoutMs: 60_000,
  maxOutputBytes: 10_000,
  ...more,
});

describe("node workspace", () => {
  runWorkspaceContract(async (files) => open(folder(files)));

  test("R1: a link that leads out is refused for every door; one that stays inside is followed", async () => {
    const root = folder({ "in/a.txt": "inside" });
    const secret = join(dirname(root), "secret.txt");
    writeFileSync(secret, "secret");
    symlinkSync(dirname(root), join(root, "out"));
    symlinkSync(secret, join(root, "leak"));
    symlinkSync(join(dirname(root), "not-there-yet"), join(root, "dangling"));
    symlinkSync("in", join(root, "inner"));
    await using workspace = open(root);

    const results = [
      await workspace.read("leak", 100),
      await workspace.read("out/secret.txt", 100),
      await workspace.write("leak", new Uint8Array([1])),
      await workspace.write("out/new/x", new Uint8Array([1])),
      await workspace.write("dangling", new Uint8Array([1])),
      await workspace.list("out"),
    ];

    expect(results.map((result) => result.kind === "refused" && result.reason)).toEqual(Array(6).fill("outside"));
    expect(readFileSync(secret, "utf8")).toBe("secret");
    expect(await workspace.run(sh("pwd", { cwd: "out" }))).toMatchObject({ kind: "not-started" });
    expect(await workspace.read("inner/a.txt", 100)).toMatchObject({ kind: "ok" });
  });

  test("reading a named pipe answers at once", async () => {
    const root = folder();
    execFileSync("mkfifo", [join(root, "pipe")]);
    await using workspace = open(root);

    expect(await workspace.read("pipe", 100)).toMatchObject({ reason: "not-a-file" });
    expect(await workspace.write("pipe", new Uint8Array())).toMatchObject({ reason: "not-a-file" });
  });

  test("keeps the mode of a file it writes", async () => {
    const root = folder({ "run.sh": "" });
    await using workspace = open(root);
    await workspace.run(sh("chmod 755 run.sh"));

    await workspace.write("run.sh", new TextEncoder().encode("echo hi"));

    expect(await workspace.run(sh("./run.sh"))).toEqual({ kind: "exited", code: 0, output: "hi\n" });
  });
});

describe("run", () => {
  test("gives exit code and both streams; starts in the root with the given environment", async () => {
    await using workspace = open(folder());

    const exit = await workspace.run(sh("echo out; echo err >&2; pwd; exit 3"));

    expect(exit).toMatchObject({ kind: "exited", code: 3 });
    expect(exit.kind === "exited" && exit.output).toContain(workspace.root);
    expect(exit.kind === "exited" && exit.output).toMatch(/out[\s\S]*err|err[\s\S]*out/);
  });

  test("a program that does not exist is an answer", async () => {
    await using workspace = open(folder());

    expect(await workspace.run(sh("", { argv: ["no-such-program"] }))).toMatchObject({ kind: "not-started" });
  });

  test("states what it leaves out of a long output and keeps both ends", async () => {
    await using workspace = open(folder());

    const exit = await workspace.run(
      sh("echo first; head -c 1000000 /dev/zero | tr '\\0' x; echo last", { maxOutputBytes: 100 }),
    );

    expect(exit.kind === "exited" && exit.output).toMatch(/^first\nx+\n\[… 999911 bytes left out …\]\nx+last\n$/);
  });

  test("N1: does not wait for a child that keeps the pipes open", async () => {
    await using workspace = open(folder());

    const exit = await workspace.run(sh("sleep 60 & echo started", { timeoutMs: 30_000 }));

    expect(exit).toEqual({ kind: "exited", code: 0, output: "started\n" });
  });

  test("R2: a timeout kills the tree, also those who left the process group", async () => {
    const root = folder();
    await using workspace = open(root);

    const exit = await workspace.run(sh("setsid sleep 61.5 & sleep 62.5 & echo here; wait", { timeoutMs: 2_000 }));

    expect(exit).toEqual({ kind: "killed", by: "timeout", output: "here\n" });
    expect(alive("6[12].5")).toBe(0);
  });

  test("N2: a timeout kills the group, also those in it who have thrown their environment away", async () => {
    await using workspace = open(folder());

    await workspace.run(sh("env -i sleep 66.5 & sleep 67.5 & wait", { timeoutMs: 300 }));

    expect(alive("6[67].5")).toBe(0);
  });

  test("R2: an abort kills the tree; a run that was aborted before does not start", async () => {
    const root = folder();
    await using workspace = open(root);
    const abort = new AbortController();
    const running = workspace.run(sh("setsid sleep 63.5 & sleep 64.5", { signal: abort.signal }));
    while (alive("6[34].5") < 2) await new Promise(setImmediate);

    abort.abort();

    expect(await running).toMatchObject({ kind: "killed", by: "cancel" });
    expect(alive("6[34].5")).toBe(0);
    expect(await workspace.run(sh("touch started", { signal: abort.signal }))).toMatchObject({ by: "cancel" });
    expect(await workspace.read("started", 10)).toMatchObject({ reason: "missing" });
  });

  test("R2: closing the workspace ends what earlier commands left behind", async () => {
    const workspace = open(folder());
    await workspace.run(sh("setsid sleep 65.5 > /dev/null 2>&1 &"));
    while (alive("65.5") < 1) await new Promise(setImmediate);

    await workspace[Symbol.asyncDispose]();

    expect(alive("65.5")).toBe(0);
  });
});

/** How many `sleep <pattern>` processes live (zombies do not). */
function alive(pattern: string): number {
  const lines = execFileSync("ps", ["-eo", "stat,args"], { encoding: "utf8" }).split("\n");
  return lines.filter((line) => !line.startsWith("Z") && new RegExp(`sleep ${pattern}$`).test(line)).length;
}
