/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §6 about folders of their own, on real repositories. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TaskContext } from "@smooth/engine/task";
import { systemClock } from "@smooth/platform/node/system";
import { write } from "@smooth/tools/task/built-in";
import { bindTools } from "@smooth/tools/task/scope";
import { worktreesOf } from "@smooth/vcs/worktrees";
import { afterEach, expect, test } from "vitest";
import { outputs, Sequence, smithers, Task, Workflow, Worktree } from "../testing/rules.ts";
import { runToEnd } from "../testing/run-in-memory.ts";

const dirs: string[] = [];
afterEach(() => dirs.splice(0).forEach((dir) => rmSync(dir, { recursive: true, force: true })));

function makeRepo(): string {
  const repo = mkdtempSync(join(tmpdir(), "worktree-rules-"));
  dirs.push(repo);
  const git = (...args: string[]) => execFileSync("git", ["-C", repo, ...args]);
  git("init", "-q", "-b", "main");
  writeFileSync(join(repo, "a.txt"), "one");
  git("add", "-A");
  git("-c", "user.name=n", "-c", "user.email=e@x", "commit", "-qm", "first");
  return repo;
}
const Note = ({ id }: { id: string }) => (
  <Task id={id} output={outputs.text} noRetry>
    {({ worktree }: TaskContext) => {
      if (worktree) writeFileSync(join(worktree.path, "a.txt"), id);
      return { text: worktree ? `${worktree.id} ${worktree.branch} ${worktree.path}` : "nowhere" };
    }}
  </Task>
);
const rows = async (run: Awaited<ReturnType<typeof runToEnd>>, workflow: ReturnType<typeof smithers>) => {
  const table = workflow.registry.tables.find(({ name }) => name === "text");
  const cells = await run.store.outputs(run.runId, table!);
  return Object.fromEntries(cells.map(({ nodeId, cells: [text] }) => [nodeId, text]));
};

test("tasks below a Worktree work in it, the innermost counts, and the repository's own files stay as they are", async () => {
  const repo = makeRepo();
  const workflow = smithers(() => (
    <Workflow name="trees">
      <Worktree id="outer" path=".worktrees/outer" branch="work/outer">
        <Sequence>
          <Note id="a" />
          <Worktree id="inner" path=".worktrees/inner">
            <Note id="b" />
          </Worktree>
          <Note id="c" />
        </Sequence>
      </Worktree>
      <Note id="d" />
    </Workflow>
  ));

  const run = await runToEnd(workflow, { worktrees: worktreesOf(repo, systemClock) });

  expect(run.result.status).toBe("finished");
  expect(await rows(run, workflow)).toEqual({
    a: `outer work/outer ${join(repo, ".worktrees/outer")}`,
    b: `inner null ${join(repo, ".worktrees/inner")}`,
    c: `outer work/outer ${join(repo, ".worktrees/outer")}`,
    d: "nowhere",
  });
  expect(readFileSync(join(repo, "a.txt"), "utf8")).toBe("one");
  expect(readFileSync(join(repo, ".worktrees/outer/a.txt"), "utf8")).toBe("c");
});

test("nothing is made for a worktree whose tasks never run, and skipIf leaves it out", async () => {
  const repo = makeRepo();
  const run = await runToEnd(
    smithers(() => (
      <Workflow name="trees">
        <Worktree id="w" path="../never" skipIf>
          <Note id="a" />
        </Worktree>
        <Worktree id="v" path=".worktrees/v">
          <Task id="b" output={outputs.n} skipIf>
            {{ n: 1 }}
          </Task>
        </Worktree>
      </Workflow>
    )),
    { worktrees: worktreesOf(repo, systemClock) },
  );

  expect(run.result.status).toBe("finished");
  expect(existsSync(join(repo, ".worktrees"))).toBe(false);
});

test.each([
  ["an empty path", <Worktree key="w" path="  " />, "INVALID_INPUT"],
  ["two with one id", [<Worktree key="1" id="w" path="a" />, <Worktree key="2" id="w" path="b" />], "DUPLICATE_ID"],
  [
    "no repository",
    <Worktree key="w" id="w" path="a">
      <Note id="a" />
    </Worktree>,
    "VCS_FAILED",
  ],
])("%s is refused", async (_, element, code) => {
  const { result } = await runToEnd(smithers(() => <Workflow name="bad">{element}</Workflow>));

  expect(result).toMatchObject({ status: "failed", error: { code } });
});

test("a path that somebody else's folder takes fails the task and touches nothing", async () => {
  const repo = makeRepo();
  const { result } = await runToEnd(
    smithers(() => (
      <Workflow name="taken">
        <Worktree id="w" path=".git">
          <Note id="a" />
        </Worktree>
      </Workflow>
    )),
    { worktrees: worktreesOf(repo, systemClock) },
  );

  expect(result).toMatchObject({ status: "failed", error: { code: "VCS_FAILED" } });
});

test("the tools of a task below a Worktree work in it", async () => {
  const repo = makeRepo();
  const workflow = smithers(() => (
    <Workflow name="tools">
      <Worktree id="tree" path=".worktrees/tree">
        <Task id="a" output={outputs.text} noRetry>
          {async () => ({ text: await write.execute({ path: "made.txt", content: "here" }) })}
        </Task>
      </Worktree>
    </Workflow>
  ));

  const run = await runToEnd(workflow, {
    worktrees: worktreesOf(repo, systemClock),
    around: bindTools({ rootDir: repo, allowNetwork: true }),
  });

  expect(run.result.status).toBe("finished");
  expect([".worktrees/tree/made.txt", "made.txt"].map((file) => existsSync(join(repo, file)))).toEqual([true, false]);
});
