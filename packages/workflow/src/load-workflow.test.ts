import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, expect, test } from "vitest";

/** Node itself loads the file here, as the daemon and the CLI do; vitest would transform it first. */
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});
const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "smooth-load-"));
  folders.push(folder);
  return folder;
};

function run(file: string, options: object, rootDir = newFolder()): unknown {
  const { stdout, stderr } = runIn(rootDir, file, { input: {}, ...options });
  if (!stdout) throw new Error(stderr);
  return JSON.parse(stdout);
}

interface Options {
  /** Of loadWorkflow; the others are of runWorkflow. */
  readonly load?: object;
  readonly [option: string]: unknown;
}

function runIn(
  rootDir: string,
  file: string,
  { load = {}, ...options }: Options,
): { readonly stdout: string; readonly stderr: string } {
  const script = `
    import { loadWorkflow } from "@smooth/workflow/load-workflow";
    import { runWorkflow } from "@smooth/workflow/run-workflow";
    try {
      const result = await runWorkflow(await loadWorkflow(${JSON.stringify(file)}, ${JSON.stringify(load)}), ${JSON.stringify({ rootDir, ...options })});
      console.log(JSON.stringify(result));
    } catch (error) {
      console.log(JSON.stringify({ code: error.code, message: error.message }));
    }`;
  return spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: import.meta.dirname,
    encoding: "utf8",
  });
}

const example = (name: string): string => join(import.meta.dirname, "../../../examples", name);

test("a task that is tried again says so on standard error", () => {
  const file = join(newFolder(), "again.tsx");
  writeFileSync(
    file,
    `import { createSmithers } from "smithers-orchestrator";
     import { z } from "zod";
     const { Workflow, Task, smithers, outputs } = createSmithers({ output: z.object({ n: z.number() }) });
     const body = ({ attempt }) => {
       if (attempt < 2) throw new Error("no luck");
       return { n: attempt };
     };
     export default smithers(() => (
       <Workflow name="again">
         <Task id="t" output={outputs.output} retryPolicy={{ initialDelayMs: 1 }}>{body}</Task>
       </Workflow>
     ));`,
  );

  const { stdout, stderr } = runIn(newFolder(), file, { input: {} });

  expect(JSON.parse(stdout)).toMatchObject({ status: "finished", output: { n: 2 } });
  expect(stderr).toMatch(
    /SmithersWarning: task t: attempt 1 failed: no luck; next try in \d ms; retries=\{0\} to stop/,
  );
});

test("an example workflow runs under Node, with its default input", () => {
  expect(run(example("hello.tsx"), {})).toMatchObject({ status: "finished", output: { characters: 12 } });
});

test("an example's scripted agent fails, is corrected and ends, offline", () => {
  expect(run(example("scripted-agent.tsx"), {})).toMatchObject({
    status: "finished",
    output: { title: "On steps", words: 900 },
  });
});

test("the README shows that example as it is", () => {
  const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");

  expect(readme).toContain(readFileSync(example("hello.tsx"), "utf8"));
});

test("a run suspends, and another process resumes it", () => {
  const rootDir = newFolder();

  const first = run(example("review-loop.tsx"), { runId: "run-review", input: { topic: "tests" } }, rootDir);

  expect(first).toEqual({ runId: "run-review", status: "waiting-approval" });
  expect(run(example("review-loop.tsx"), { runId: "run-review", resume: true }, rootDir)).toEqual(first);
});

test("a file outside the workspace shares React and zod with the engine, even without a pragma", () => {
  const folder = newFolder();
  writeFileSync(
    join(folder, "flow.tsx"),
    `import { useState } from "react";
     import { createSmithers, useCtx, Task } from "smithers-orchestrator";
     import { z } from "zod";
     import { mood } from "./moods";
     enum Mood { Good = mood }
     const { Workflow, smithers, outputs } = createSmithers({ output: z.object({ mood: z.string(), runId: z.string() }) });
     const Step = () => { const ctx = useCtx(); const [mood] = useState(Mood.Good); return <Task id="a" output={outputs.output}>{{ mood, runId: ctx.runId }}</Task>; };
     export default smithers(() => <Workflow name="outside"><Step /></Workflow>);`,
  );

  writeFileSync(join(folder, "moods.ts"), `export const mood: string = "good";`);

  expect(run(join(folder, "flow.tsx"), { runId: "run-x" })).toMatchObject({
    status: "finished",
    output: { mood: "good", runId: "run-x" },
  });
});

test("a file that awaits for ever at its top is given up", () => {
  const folder = newFolder();
  writeFileSync(join(folder, "stuck.ts"), "await new Promise(() => {}); export default 1;");

  expect(run(join(folder, "stuck.ts"), { load: { deadlineMs: 50 } })).toMatchObject({
    code: "INVALID_INPUT",
    message: expect.stringContaining("stuck.ts has not loaded after 0.05 s") as string,
  });
});

test("a missing file, a missing package, a file without a workflow and an unknown option are refused by name", () => {
  const folder = newFolder();
  writeFileSync(join(folder, "empty.ts"), "export default 1;");
  writeFileSync(join(folder, "data.json"), "{}");

  writeFileSync(join(folder, "lacking.ts"), 'import "no-such-package";');

  expect(run(join(folder, "none.tsx"), {})).toMatchObject({
    code: "INVALID_INPUT",
    message: `no workflow file ${join(folder, "none.tsx")}`,
  });
  expect(run(folder, {})).toMatchObject({ code: "INVALID_INPUT", message: expect.stringContaining("is a folder") });
  expect(run(join(folder, "data.json"), {})).toMatchObject({ message: expect.stringContaining("end in .tsx") });
  expect(run(join(folder, "lacking.ts"), {})).toMatchObject({
    message: expect.stringMatching(/'no-such-package' imported from \S+lacking\.ts/),
  });
  expect(run(join(folder, "empty.ts"), {})).toMatchObject({
    code: "INVALID_INPUT",
    message: expect.stringContaining("export default"),
  });
  expect(run(example("hello.tsx"), { turbo: true })).toMatchObject({
    code: "INVALID_INPUT",
    message: expect.stringContaining("`turbo`"),
  });
});

test("a package of the file's project may be CommonJS with files of its own", () => {
  const folder = newFolder();
  mkdirSync(join(folder, "node_modules/words/lib"), { recursive: true });
  writeFileSync(
    join(folder, "node_modules/words/package.json"),
    '{"name":"words","version":"1.0.0","main":"index.js"}',
  );
  writeFileSync(join(folder, "node_modules/words/index.js"), 'exports.word = require("./lib/word").word;');
  writeFileSync(join(folder, "node_modules/words/lib/word.js"), 'exports.word = require("../index.js") && "inside";');
  const file = join(folder, "flow.tsx");
  writeFileSync(
    file,
    `import { createSmithers } from "smithers-orchestrator";
import { word } from "words";
import { z } from "zod";
const { Workflow, Task, smithers, outputs } = createSmithers({ output: z.object({ word: z.string() }) });
export default smithers(() => (
  <Workflow name="cjs">
    <Task id="a" output={outputs.output}>{{ word }}</Task>
  </Workflow>
));`,
  );

  expect(run(file, {})).toMatchObject({ status: "finished", output: { word: "inside" } });
});
