/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §6 about what may come out of a sandbox. */
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { FakeFile, FakeProgram } from "@smooth/vm/fake";
import { expect, onTestFinished, test, vi } from "vitest";
import { hostSandboxes } from "../sandbox/host-sandboxes.node.ts";
import { placesIn } from "../sandbox/request.ts";
import type { Writing } from "../sandbox/sandboxes.node.ts";
import { leaves, realEngine, sandboxEngine } from "../testing/sandbox-engine.ts";
import { boxed, readIn } from "../testing/sandboxed/boxed.tsx";

const nothing = (): void => {};
const SILENT = { debug: nothing, info: nothing, warn: nothing, error: nothing };

const MANIFEST = placesIn("/workspace").manifest;

const bad =
  (change: (files: Map<string, FakeFile>) => void): FakeProgram =>
  async (process) => {
    await leaves({})(process);
    change(process.files);
    return 0;
  };
const file = (text: string): FakeFile => ({ content: Buffer.from(text), mode: 0o644 });

test.each<[string, FakeProgram, string, string]>([
  [
    "a link that leads out",
    bad((files) => files.set("/workspace/l", { ...file(""), target: "/etc/passwd" })),
    "SANDBOX_BUNDLE_INVALID",
    "l: link leaves the tree",
  ],
  ["a manifest that is no JSON", bad((files) => files.set(MANIFEST, file("{"))), "SANDBOX_BUNDLE_INVALID", "no JSON"],
  [
    "a manifest that is over 5 MB",
    bad((files) => files.set(MANIFEST, file("x".repeat(5 * 2 ** 20 + 1)))),
    "SANDBOX_BUNDLE_TOO_LARGE",
    "manifest",
  ],
  [
    "1,001 changed files",
    bad((files) => {
      for (let at = 0; at <= 1_000; at += 1) files.set(`/workspace/${at}`, file("x"));
    }),
    "SANDBOX_BUNDLE_TOO_LARGE",
    "1001 changed paths",
  ],
  [
    "over 100 MB",
    bad((files) => {
      const content = Buffer.alloc(51 * 2 ** 20);
      for (const name of ["a", "b"]) files.set(`/workspace/${name}`, { content, mode: 0o644 });
    }),
    "SANDBOX_BUNDLE_TOO_LARGE",
    "bytes",
  ],
  [
    "no manifest",
    async ({ stderr }) => (stderr.write("boom\n"), 3),
    "SANDBOX_EXECUTION_FAILED",
    "exit code 3, and left no manifest; it last said:\nboom",
  ],
  [
    "a manifest of a program that then failed",
    async (process) => (await leaves({})(process), 1),
    "SANDBOX_EXECUTION_FAILED",
    "exit code 1",
  ],
])("%s is refused whole, and nothing is asked or written", async (_, program, code, says) => {
  const engine = sandboxEngine({ work: program });
  const run = await engine.start(boxed({ retries: 2, retryPolicy: { backoff: "fixed", initialDelayMs: 0 } }));

  expect(await run.result).toMatchObject({ status: "failed", error: { code, message: expect.stringContaining(says) } });
  expect(await engine.store.approvals({})).toEqual([]);
  expect(readdirSync(engine.root)).toEqual([]);
  expect(engine.driver.running.size).toBe(0);
});

test("what the host lets nobody write is refused, whoever would agree", async () => {
  const flow = boxed();
  const writeRefusal = (path: string, { workflow }: Writing) =>
    path.endsWith("flow.tsx") && workflow.build === flow.build ? "this run is made of it" : null;
  const engine = sandboxEngine({ work: leaves({ "flow.tsx": "evil" }) }, { writeRefusal });

  expect(await (await engine.start(flow)).result).toMatchObject({
    status: "failed",
    error: { code: "SANDBOX_BUNDLE_INVALID", message: expect.stringContaining("flow.tsx: this run is made of it") },
  });
});

test("N4: a sandbox writes no hook, wherever git looks for them", async () => {
  const engine = sandboxEngine({ work: leaves({ "checks/pre-commit": "evil" }) });
  for (const args of [
    ["init", "-q"],
    ["config", "core.hooksPath", "checks"],
  ])
    execFileSync("git", ["-C", engine.root, ...args]);

  expect(await (await engine.start(boxed({ autoAcceptDiffs: true }))).result).toMatchObject({
    status: "failed",
    error: { code: "SANDBOX_BUNDLE_INVALID", message: expect.stringContaining("checks/pre-commit: git runs it") },
  });
});

test("two names of one file come out as two files; a pipe comes out of no sandbox", async () => {
  const manifest = JSON.stringify({ status: "finished", output: { n: 1 } });
  const work = (script: string) => {
    const engine = realEngine({ "work.sh": `${script}; echo '${manifest}' > "$SMOOTH_BUNDLE"` });
    return { engine, run: engine.start(boxed({ runtime: "process", command: "sh work.sh", autoAcceptDiffs: true })) };
  };
  const twice = work("echo text > one; ln one two");
  const pipe = work("mkfifo pipe");

  expect(await (await twice.run).result).toMatchObject({ status: "finished" });
  expect(["one", "two"].map((path) => readIn(twice.engine.root, path))).toEqual(["text\n", "text\n"]);
  expect(await (await pipe.run).result).toMatchObject({
    error: { code: "SANDBOX_BUNDLE_INVALID", message: expect.stringContaining("pipe: not a file, folder or link") },
  });
});

test("on this machine no sandbox writes what its run is made of", async () => {
  const manifest = JSON.stringify({ status: "finished", output: { n: 1 } });
  const script = `echo evil > flow.tsx; echo '${manifest}' > "$SMOOTH_BUNDLE"`;
  const engine = realEngine({ "flow.tsx": "mine", "work.sh": script });
  vi.stubEnv("SMOOTH_IMAGES", join(engine.root, ".smithers"));
  onTestFinished(() => void vi.unstubAllEnvs());
  const sandboxes = hostSandboxes(engine.root, { minIsolation: "process" }, SILENT);
  const workflow = boxed({ runtime: "process", command: "sh work.sh", autoAcceptDiffs: true });
  const flow = { ...workflow, file: join(engine.root, "flow.tsx") };

  expect(await (await engine.start(flow, { sandboxes })).result).toMatchObject({
    status: "failed",
    error: { code: "SANDBOX_BUNDLE_INVALID", message: expect.stringContaining("flow.tsx: this run is made of it") },
  });
  expect(readIn(engine.root, "flow.tsx")).toBe("mine");
});

test("a sandbox that changed files is not kept in the cache; one that changed none is", async () => {
  const ran: string[] = [];
  const engine = sandboxEngine({ work: leaves({ "a.txt": "new" }, { n: 1 }, ran), quiet: leaves({}, { n: 1 }, ran) });
  for (const command of ["work", "work", "quiet", "quiet"])
    await (
      await engine.start(boxed({ command, cache: { key: command }, autoAcceptDiffs: true }))
    ).result;

  expect(ran).toHaveLength(3);
});
