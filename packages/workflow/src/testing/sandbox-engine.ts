/** A test's engine with sandboxes that isolate nothing: programs are functions, files of the sandbox a map; the host's folder is real. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StartRun } from "@smooth/engine/run";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { fakeDriver, type FakeProgram } from "@smooth/vm/fake";
import { onTestFinished } from "vitest";
import { processDriver } from "@smooth/vm/process";
import { sharedKernelOptions } from "@smooth/vm/testing/shared-kernel";
import { placesIn } from "../sandbox/request.ts";
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

/** Programs are real ones, in processes of this machine: nothing is isolated. */
export const realEngine = (files: Readonly<Record<string, string>> = {}) =>
  sandboxEngine({}, { files, drivers: { process: processDriver(sharedKernelOptions()) } });

/** A program that changes files of the workspace (null: deletes) and answers with a row. */
export const leaves =
  (files: Readonly<Record<string, string | null>>, output: unknown = { n: 1 }, ran: string[] = []): FakeProgram =>
  async ({ files: inside, env }) => {
    ran.push(env["SMOOTH_ATTEMPT"] ?? "");
    for (const [path, text] of Object.entries(files))
      if (text === null) inside.delete(`/workspace/${path}`);
      else inside.set(`/workspace/${path}`, { content: Buffer.from(text), mode: 0o644 });
    inside.set(placesIn("/workspace").manifest, {
      content: Buffer.from(JSON.stringify({ status: "finished", output })),
      mode: 0o644,
    });
    return 0;
  };
