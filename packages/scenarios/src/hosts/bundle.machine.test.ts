/** `th` and `smithers` as they are shipped: bundled, and used from a repository that is not ours. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { expect, onTestFinished, test } from "vitest";
import { START_FLAGS } from "../../../../apps/agent-host/src/bin/flags.mjs";
import { bundle, isFresh } from "../../../../scripts/bundle.mjs";
import { ROOT } from "../workspaces.ts";
import { RealHost } from "./real-host.ts";

const SMITHERS = join(ROOT, "apps/agent-host/src/bin/smithers.mjs");

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "smooth-bundle-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

const FLOW = `
  import { useState } from "react";
  import { createSmithers, useCtx, Task } from "smithers-orchestrator";
  import { z } from "zod";
  const { Workflow, smithers, outputs } = createSmithers({
    input: z.object({ name: z.string().default("Ann") }), output: z.object({ name: z.string(), stack: z.string() }) });
  const stack = (): string => { try { createSmithers({ bad: 1 as never }); return ""; } catch (error) { return (error as Error).stack ?? ""; } };
  const Step = () => {
    const ctx = useCtx();
    const [name] = useState(String(ctx.input.name));
    return <Task id="a" output={outputs.output}>{() => ({ name, stack: stack() })}</Task>;
  };
  export default smithers(() => <Workflow name="elsewhere"><Step /></Workflow>);`;

/** A repository with copies of what the engine has: two of them throw, so that nothing can be taken from them. */
function withOwnPackages(repository: string): void {
  for (const name of ["react", "smithers-orchestrator"]) {
    const folder = join(repository, "node_modules", name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name, version: "0.0.1", main: "index.js" }));
    writeFileSync(join(folder, "index.js"), `throw new Error("a second ${name}");`);
  }
  cpSync(join(ROOT, "node_modules/zod"), join(repository, "node_modules/zod"), { recursive: true });
}

test("U1: a workflow of another repository runs on the host's engine, whatever that repository has installed; errors name sources", async () => {
  await using host = new RealHost({});
  await host.start();
  for (const prepare of [() => {}, withOwnPackages]) {
    const repository = newFolder();
    prepare(repository);
    writeFileSync(join(repository, "flow.tsx"), FLOW);
    const smithers = (...args: readonly string[]): string =>
      execFileSync(process.execPath, [SMITHERS, ...args], {
        cwd: repository,
        env: { ...process.env, SMOOTH_HOME: host.home },
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });

    const runId = `run-${repository.slice(-6).toLowerCase()}`;
    smithers("up", "flow.tsx", "--run-id", runId);

    const { output } = JSON.parse(smithers("output", runId, "a")) as { output: { name: string; stack: string } };
    expect(output.name).toBe("Ann");
    expect(output.stack).toMatch(/at .*packages\/\S+\.ts:\d+:\d+/);
    expect(output.stack).toMatch(/at \S*stack.* \(file:\S+\/flow\.tsx:7:\d+\)/);
    expect(output.stack).not.toContain("/dist/");
  }
});

test("U2: a bundle is stale when one of its sources changed or went, and only then", async () => {
  const folder = newFolder();
  const [entry, other] = [join(folder, "entry.ts"), join(folder, "other.ts")];
  writeFileSync(entry, 'import { word } from "./other.ts"; console.log(word);');
  writeFileSync(other, 'export const word: string = "one";');

  await bundle(join(folder, "out"), { entry });

  expect(execFileSync(process.execPath, [join(folder, "out/entry.js")], { encoding: "utf8" })).toBe("one\n");
  expect(isFresh(join(folder, "out"))).toBe(true);
  writeFileSync(other, 'export const word: string = "two";');
  expect(isFresh(join(folder, "out"))).toBe(false);
  rmSync(other);
  expect(isFresh(join(folder, "out"))).toBe(false);
  expect(isFresh(join(ROOT, "apps/agent-host/dist"))).toBe(true);
});

test("th and smithers name V8's flags in their first line, for those who start them from a PATH", () => {
  for (const name of ["th", "smithers"])
    expect(readFileSync(join(ROOT, `apps/agent-host/src/bin/${name}.mjs`), "utf8").split("\n")[0]).toBe(
      `#!/usr/bin/env -S node ${START_FLAGS.join(" ")}`,
    );
});
