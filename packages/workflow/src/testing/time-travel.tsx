/** @jsxImportSource @smooth/workflow */
/** For the tests of ENGINE §8: what ran, in order, and agents that leave files in a repository of their own. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, writeFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ToolCall } from "@smooth/engine/tool-log";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { pointers } from "@smooth/vcs/pointers";
import { onTestFinished } from "vitest";
import { outputs, Task } from "./rules.ts";
import { testEngine } from "./run-in-memory.ts";

function repo(): string {
  const root = mkdtempSync(join(tmpdir(), "smooth-travel-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  execFileSync("git", ["init", "-q", root]);
  writeFileSync(join(root, "base.txt"), "base\n");
  return root;
}

export function bench() {
  const engine = testEngine();
  const ran: string[] = [];
  const step = (id: string, value: () => number = () => ran.length) => (
    <Task key={id} id={id} output={outputs.n}>
      {() => (ran.push(id), { n: value() })}
    </Task>
  );
  const deps = (workflow: WorkflowDefinition) => ({ ...engine, workflow, vcs: pointers, isAlive: () => false });
  const go = async (workflow: WorkflowDefinition, options = {}) => {
    const handle = await engine.start(workflow, options);
    return { runId: handle.runId, result: await handle.result };
  };
  const resume = async (workflow: WorkflowDefinition, runId: string, options = {}) =>
    (await engine.resume(workflow, runId, options)).result;
  return { engine, ran, step, deps, go, resume };
}

export function editing() {
  const made = bench();
  const root = repo();
  const files = { vcs: pointers, vcsRoot: root };
  const edit = (id: string, call?: ToolCall) => (
    <Task
      key={id}
      id={id}
      output={outputs.text}
      agent={{
        id,
        generate: async () => {
          made.ran.push(id);
          writeFileSync(join(root, `${id}.txt`), `${id} ${made.ran.length}\n`);
          if (call) (await scope.current?.toolLog.begin(call))?.({ status: "success", output: "" });
          return { output: { text: `${id} ${made.ran.length}` } };
        },
      }}
    >
      Edit.
    </Task>
  );
  const scope: {
    current?: { toolLog: { begin(call: ToolCall): Promise<(end: { status: "success"; output: string }) => void> } };
  } = {};
  const around = <T,>(given: NonNullable<typeof scope.current>, body: () => Promise<T>): Promise<T> => (
    (scope.current = given),
    body()
  );
  const there = () => ["a", "b", "c"].filter((id) => existsSync(join(root, `${id}.txt`)));
  return { ...made, root, files: { ...files, around } as object, edit, there };
}
