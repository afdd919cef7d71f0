/** A test's engine with sandboxes that isolate nothing: programs are functions, files of the sandbox a map; the host's folder is real. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import type { StartRun } from "@smooth/engine/run";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { fakeDriver, type FakeProgram } from "@smooth/vm/fake";
import { onTestFinished } from "vitest";
import { IN_SANDBOX } from "../sandbox/request.ts";
import { openSandboxes, type SandboxesOptions } from "../sandbox/sandboxes.node.ts";
import { testEngine } from "./run-in-memory.ts";

export function sandboxEngine(
  programs: Readonly<Record<string, FakeProgram>>,
  options: Partial<SandboxesOptions> & { readonly files?: Readonly<Record<string, string>> } = {},
) {
  const engine = testEngine();
  const root = mkdtempSync(join(tmpdir(), "sandbox-test-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(options.files ?? {})) writeFileSync(join(root, path), text);
  const driver = fakeDriver({ clock: engine.clock, ids: engine.ids, programs });
  const drivers = { process: driver };
  const sandboxes = openSandboxes({ rootDir: root, drivers, clock: engine.clock, minIsolation: "process", ...options });
  return {
    ...engine,
    root,
    driver,
    sandboxes,
    start: (workflow: WorkflowDefinition, more: Partial<StartRun> = {}) =>
      engine.start(workflow, { sandboxes, ...more }),
    resume: (workflow: WorkflowDefinition, runId: string) => engine.resume(workflow, runId, { sandboxes }),
  };
}

/** A program that changes files of the workspace (null: deletes) and answers with a row. */
export const leaves =
  (files: Readonly<Record<string, string | null>>, output: unknown = { n: 1 }, ran: string[] = []): FakeProgram =>
  async ({ files: inside, env }) => {
    ran.push(env["SMOOTH_ATTEMPT"] ?? "");
    for (const [path, text] of Object.entries(files))
      if (text === null) inside.delete(`/workspace/${path}`);
      else inside.set(`/workspace/${path}`, { content: Buffer.from(text), mode: 0o644 });
    inside.set(IN_SANDBOX.manifest, {
      content: Buffer.from(JSON.stringify({ status: "finished", output })),
      mode: 0o644,
    });
    return 0;
  };

/** Runs what was put in by a real Node, in a folder of this machine: it isolates nothing. */
export const node: FakeProgram = async ({ files, env, stdout, stderr, signal }) => {
  const folder = mkdtempSync(join(tmpdir(), "sandbox-inside-"));
  const placed = (path: string): string => join(folder, path);
  for (const [path, { content }] of files) {
    mkdirSync(dirname(placed(path)), { recursive: true });
    writeFileSync(placed(path), content);
  }
  mkdirSync(placed("/workspace"), { recursive: true });
  const { SMOOTH_REQUEST = "", SMOOTH_BUNDLE = "" } = env;
  const own = { ...env, SMOOTH_REQUEST: placed(SMOOTH_REQUEST), SMOOTH_BUNDLE: placed(SMOOTH_BUNDLE) };
  const child = spawn(process.execPath, ["--no-warnings", placed(IN_SANDBOX.program)], {
    cwd: placed("/workspace"),
    env: own,
    signal,
  });
  child.on("error", () => {});
  child.stdout.pipe(stdout, { end: false });
  child.stderr.pipe(stderr, { end: false });
  await once(child, "close");
  for (const path of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (path.isFile()) {
      const at = join(path.parentPath, path.name);
      files.set(at.slice(folder.length), { content: readFileSync(at), mode: 0o644 });
    }
  rmSync(folder, { recursive: true });
  return child.exitCode ?? 1;
};
