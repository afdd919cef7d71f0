/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §6 about sandboxes, over a driver that isolates nothing; what isolates is tested on real ones. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decideApproval } from "@smooth/engine/control";
import { why } from "@smooth/engine/why";
import { expect, test } from "vitest";
import { outputs, Sandbox, smithers, Task, Workflow } from "../testing/rules.ts";
import { leaves, sandboxEngine } from "../testing/sandbox-engine.ts";

const READ = (root: string, path: string): string => readFileSync(join(root, path), "utf8");

const boxed = (props: object = {}) =>
  smithers(() => (
    <Workflow name="boxed">
      <Sandbox id="box" output={outputs.n} command="work" {...props} />
      <Task id="after" output={outputs.text}>
        {{ text: "after" }}
      </Task>
    </Workflow>
  ));

const decide = (engine: ReturnType<typeof sandboxEngine>, runId: string, verdict: "approve" | "deny") =>
  decideApproval(engine.store, { runId, nodeId: "box", iteration: 0, decision: { verdict }, by: "ann", atMs: 1 });

test("a sandbox that changes no file is a step like any other", async () => {
  const engine = sandboxEngine({ work: leaves({}, { n: 7 }) });
  const run = await engine.start(boxed());

  expect((await run.result).status).toBe("finished");
  expect(engine.driver.running.size).toBe(0);
});

test("changed files wait for a person, who sees the patch; approved, they are written and the run goes on", async () => {
  const ran: string[] = [];
  const program = leaves({ "a.txt": "new\n", "b.txt": "made\n", "c.txt": null }, { n: 7 }, ran);
  const engine = sandboxEngine({ work: program }, { files: { "a.txt": "old\n", "c.txt": "gone soon\n" } });
  const workflow = boxed();
  const run = await engine.start(workflow);

  expect((await run.result).status).toBe("waiting-approval");
  expect(READ(engine.root, "a.txt")).toBe("old\n");
  const [asked] = await engine.store.approvals({ only: "open" });
  expect(asked?.request.metadata).toMatchObject({ paths: ["a.txt", "b.txt", "c.txt"] });
  expect(asked?.request.metadata?.["patch"]).toContain("-old\n+new\n");
  expect((await why(engine.store, run.runId)).reasons).toMatchObject([
    { kind: "approval", text: expect.stringContaining("sandbox box (process, process)") },
  ]);

  await decide(engine, run.runId, "approve");
  const resumed = await engine.resume(workflow, run.runId);
  expect((await resumed.result).status).toBe("finished");
  expect([READ(engine.root, "a.txt"), READ(engine.root, "b.txt"), existsSync(join(engine.root, "c.txt"))]).toEqual([
    "new\n",
    "made\n",
    false,
  ]);
  expect(ran).toEqual(["1"]);
});

test("denied, the files are dropped and the step fails", async () => {
  const engine = sandboxEngine({ work: leaves({ "a.txt": "new" }) });
  const workflow = boxed();
  const run = await engine.start(workflow);
  await run.result;
  await decide(engine, run.runId, "deny");

  const end = await (await engine.resume(workflow, run.runId)).result;
  expect(end).toMatchObject({ status: "failed", error: { code: "APPROVAL_DENIED" } });
  expect(readdirSync(engine.root)).toEqual([]);
});

test("denied with continueOnFail, the run goes on without the files", async () => {
  const engine = sandboxEngine({ work: leaves({ "a.txt": "new" }) });
  const workflow = boxed({ continueOnFail: true });
  const run = await engine.start(workflow);
  await run.result;
  await decide(engine, run.runId, "deny");

  expect((await (await engine.resume(workflow, run.runId)).result).status).toBe("finished");
  expect(readdirSync(engine.root)).toEqual([]);
});

test.each([{ autoAcceptDiffs: true }, { reviewDiffs: false }])("%o writes changed files at once", async (props) => {
  const engine = sandboxEngine({ work: leaves({ "a.txt": "new" }) });
  const run = await engine.start(boxed(props));

  expect((await run.result).status).toBe("finished");
  expect(READ(engine.root, "a.txt")).toBe("new");
  expect(engine.events.map(({ type }) => type)).toContain("sandbox.bundled");
});

test("a file that changed since the sandbox got it is never written over: all files stay, and it is named", async () => {
  const engine = sandboxEngine({ work: leaves({ "a.txt": "new", "b.txt": "new" }) }, { files: { "b.txt": "old" } });
  const workflow = boxed({ retries: 3 });
  const run = await engine.start(workflow);
  await run.result;
  writeFileSync(join(engine.root, "b.txt"), "mine");
  await decide(engine, run.runId, "approve");

  const end = await (await engine.resume(workflow, run.runId)).result;
  expect(end).toMatchObject({
    status: "failed",
    error: { code: "MERGE_CONFLICT", message: expect.stringContaining("b.txt") },
  });
  expect([existsSync(join(engine.root, "a.txt")), READ(engine.root, "b.txt")]).toEqual([false, "mine"]);
});

test("a row that does not fit is told before anybody is asked", async () => {
  const engine = sandboxEngine({ work: leaves({ "a.txt": "new" }, { m: 1 }) });
  const run = await engine.start(boxed());

  expect(await run.result).toMatchObject({ status: "failed", error: { code: "INVALID_OUTPUT" } });
  expect(await engine.store.approvals({})).toEqual([]);
});
