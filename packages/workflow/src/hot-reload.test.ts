import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { afterAll, expect, test } from "vitest";

/** Real files, edited while a real process runs the workflow. */
const folder = mkdtempSync(join(tmpdir(), "hot-"));
afterAll(() => rmSync(folder, { recursive: true }));

const FLOW = (word: string, schema = "z.object({ words: z.array(z.string()) })"): string => `
import { existsSync } from "node:fs";
import { createSmithers } from "smithers-orchestrator";
import { z } from "zod";
import { word } from "./word.ts";
const { Workflow, Sequence, Task, smithers, outputs } = createSmithers({ output: ${schema} });
export default smithers((ctx) => (
  <Workflow name="hot">
    <Sequence>
      <Task id="slow" output={outputs.output}>
        {async () => {
          while (!existsSync(${JSON.stringify(join(folder, "go"))})) await new Promise((r) => setTimeout(r, 5));
          return { words: ["slow ${word}"] };
        }}
      </Task>
      <Task id="last" output={outputs.output}>{() => ({ words: [...ctx.output(outputs.output, "slow").words, "${word} " + word] })}</Task>
    </Sequence>
  </Workflow>
));`;

const write = (name: string, content: string): void => writeFileSync(join(folder, name), content);
/** All of it at once: who writes into the file itself empties it first, which may be seen, and is refused. */
function replace(name: string, content: string): void {
  write(`${name}.tmp`, content);
  renameSync(join(folder, `${name}.tmp`), join(folder, name));
}

interface Said {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A process that runs the flow with \`hot\`, and what it says. */
function runner(options: object) {
  const script = `
    import { loadWorkflow } from "@smooth/workflow/load-workflow";
    import { runWorkflow } from "@smooth/workflow/run-workflow";
    const say = (value) => console.log(JSON.stringify(value));
    const flow = await loadWorkflow(${JSON.stringify(join(folder, "flow.tsx"))});
    const result = await runWorkflow(flow, { input: {}, rootDir: ${JSON.stringify(folder)}, onEvent: say, ...${JSON.stringify(options)} }).catch((error) => ({ error }));
    say({ type: "result", ...result });`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const said: Said[] = [];
  const news = createInterface(child.stdout);
  news.on("line", (line) => void said.push(JSON.parse(line) as Said));
  const heard = async (type: string, count = 1): Promise<Said> => {
    while (said.filter((event) => event.type === type).length < count) await once(news, "line");
    return said.filter((event) => event.type === type)[count - 1] as Said;
  };
  return { child, heard };
}

test("edits of a running workflow's files are taken up or refused; a crash after it resumes with them", async () => {
  write("word.ts", `export const word: string = "one";`);
  write("flow.tsx", FLOW("v1"));
  const first = runner({ runId: "run-hot", hot: { debounceMs: 20 } });
  await first.heard("node.started");

  replace("flow.tsx", "export default {");
  expect(await first.heard("run.reload-refused")).toMatchObject({ error: { code: "HOT_RELOAD_INVALID_MODULE" } });
  replace("flow.tsx", FLOW("v2", "z.object({ words: z.string() })"));
  expect(await first.heard("run.reload-refused", 2)).toMatchObject({ error: { code: "SCHEMA_CHANGE_HOT" } });
  write("flow.tsx", FLOW("v2"));
  expect(await first.heard("run.reloaded")).toMatchObject({ changed: ["flow.tsx changed"] });
  replace("word.ts", `export const word: string = "two";`);
  expect(await first.heard("run.reloaded", 2)).toMatchObject({ changed: ["word.ts changed"] });

  first.child.kill("SIGKILL");
  await once(first.child, "exit");
  write("go", "");
  const second = runner({ runId: "run-hot", resume: true });

  expect(await second.heard("result")).toMatchObject({
    status: "finished",
    output: { words: ["slow v2", "v2 two"] },
  });
});

test("without a file, and with options that are not there, hot is refused before anything starts", async () => {
  write("go", "");
  const unknown = runner({ hot: { outDir: "x" } });

  expect(await unknown.heard("result")).toMatchObject({
    error: { code: "INVALID_INPUT", message: expect.stringContaining("outDir") as string },
  });
});
