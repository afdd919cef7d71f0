/** Resuming with other files than the run was started with: real files, one process per step. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { afterEach, expect, test } from "vitest";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const FLOW = `
  import { createSmithers, approvalDecisionSchema, Approval, Task } from "smithers-orchestrator";
  import { z } from "zod";
  import { word } from "./lib/word";
  import { mark } from "punctuation";
  const { Workflow, smithers, outputs } = createSmithers({
    input: z.object({ name: z.string() }), decision: approvalDecisionSchema, output: z.object({ text: z.string() }) });
  export default smithers((ctx) => <Workflow name="flow">
    <Approval id="go" output={outputs.decision} request={{ title: "Go?" }} />
    <Task id="say" output={outputs.output}>{{ text: word + mark + ctx.input.name }}</Task>
  </Workflow>);`;

function project(): { folder: string; write(file: string, text: string): void } {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "smooth-resume-")));
  folders.push(folder);
  const write = (file: string, text: string): void => {
    mkdirSync(join(folder, file, ".."), { recursive: true });
    writeFileSync(join(folder, file), text);
  };
  write("flow.tsx", FLOW);
  write("lib/word.ts", `import { rest } from "./deep"; export const word = "hel" + rest;`);
  write("lib/deep.ts", `export const rest = "lo";`);
  punctuation(write, "1.0.0");
  return { folder, write };
}

function punctuation(write: (file: string, text: string) => void, version: string): void {
  write(
    "node_modules/punctuation/package.json",
    JSON.stringify({ name: "punctuation", version, type: "module", main: "main.js" }),
  );
  write("node_modules/punctuation/main.js", `import { inner } from "./inner.js"; export const mark = inner;`);
  write("node_modules/punctuation/inner.js", `export const inner = " ";`);
}

/** `steps`: statements with `load()` and `go(options)` at hand; prints what they push to `said`. */
function script(folder: string, steps: string): unknown {
  const code = `
    import { writeFileSync } from "node:fs";
    import { loadWorkflow } from "@smooth/workflow/load-workflow";
    import { runWorkflow } from "@smooth/workflow/run-workflow";
    const folder = ${JSON.stringify(folder)};
    const said = [];
    const load = () => loadWorkflow(folder + "/flow.tsx");
    const go = async (options) => runWorkflow(await load(), { runId: "run-a", rootDir: folder, input: {}, ...options })
      .then((result) => said.push(result), ({ code, message, details }) => said.push({ code, message, changed: details?.changed }));
    ${steps}
    console.log(JSON.stringify(said));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", code], {
    cwd: import.meta.dirname,
    encoding: "utf8",
  });
  if (!stdout) throw new Error(stderr);
  return JSON.parse(stdout);
}

const START = `await go({ input: { name: "Ann" } });`;
const RESUME = `await go({ resume: true });`;
const waiting = { runId: "run-a", status: "waiting-approval" };

test("an untouched project resumes, with its input repeated or left out", () => {
  const { folder } = project();

  expect(script(folder, `${START} ${RESUME} await go({ resume: true, input: { name: "Ann" } });`)).toEqual([
    waiting,
    waiting,
    waiting,
  ]);
});

test("M1: a changed file, however deep, a changed package and another input are named", () => {
  const { folder, write } = project();
  script(folder, START);

  write("lib/deep.ts", `export const rest = "LO";`);
  punctuation(write, "1.1.0");
  expect(script(folder, RESUME)).toMatchObject([
    {
      code: "RESUME_METADATA_MISMATCH",
      message: expect.stringContaining("--accept-workflow-change"),
      changed: ["lib/deep.ts changed", "package punctuation 1.0.0 → 1.1.0"],
    },
  ]);
  expect(script(folder, `await go({ resume: true, input: { name: "Bob" } });`)).toMatchObject([
    { code: "RESUME_METADATA_MISMATCH", changed: ["input"] },
  ]);
});

test("M2: consent is recorded as an event, and holds for the next resume", () => {
  const { folder, write } = project();
  script(folder, START);
  write("flow.tsx", FLOW.replace(`import { word } from "./lib/word";`, `const word = "bye";`));

  expect(script(folder, `await go({ resume: true, acceptWorkflowChange: true }); ${RESUME}`)).toEqual([
    waiting,
    waiting,
  ]);

  const sql = openSqlite(join(folder, "smithers.db"));
  const events = sql.all("SELECT body FROM _smithers_events ORDER BY seq").map(({ body }) => JSON.parse(String(body)));
  sql.close();
  expect(events.filter(({ type }) => type === "run.change-accepted")).toEqual([
    {
      type: "run.change-accepted",
      changed: ["flow.tsx changed", "lib/deep.ts removed", "lib/word.ts removed"],
      by: expect.any(String),
    },
  ]);
});

test("a run is not carried over into another repository", () => {
  const { folder, write } = project();
  write(".git/HEAD", "ref: refs/heads/main\n");
  script(folder, START);
  rmSync(join(folder, ".git"), { recursive: true });

  expect(script(folder, RESUME)).toEqual([waiting]); // no repository is not another repository
  const sql = openSqlite(join(folder, "smithers.db"));
  sql.run("UPDATE _smithers_metadata SET vcs_root = '/elsewhere'");
  sql.close();
  write(".git/HEAD", "ref: refs/heads/main\n");
  expect(script(folder, RESUME)).toMatchObject([{ changed: [`vcs root /elsewhere → ${folder}`] }]);
});

test("W4: a process that loaded the old file loads the new one, and says so", () => {
  const { folder } = project();
  const edit = `writeFileSync(folder + "/lib/deep.ts", 'export const rest = "p";');`;
  const again = `const one = await load(); ${edit} const two = await load(); const three = await load();
    said.push(one.source.files["lib/deep.ts"] === two.source.files["lib/deep.ts"], two.build === three.build);`;

  expect(script(folder, `${START} ${again} ${RESUME}`)).toMatchObject([
    waiting,
    false,
    true,
    { changed: ["lib/deep.ts changed"] },
  ]);
});
