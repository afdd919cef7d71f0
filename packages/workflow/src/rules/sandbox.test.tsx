/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §6 about sandboxes: what a person sees and decides, and what runs inside.
 *  The driver isolates nothing; what isolates is tested on real ones. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { decideApproval } from "@smooth/engine/control";
import { sha256 } from "@smooth/engine/sha256";
import { decodeRow } from "@smooth/engine/table";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { why } from "@smooth/engine/why";
import { expect, test } from "vitest";
import { outputs, Sandbox, smithers, Workflow } from "../testing/rules.ts";
import { leaves, realEngine, sandboxEngine } from "../testing/sandbox-engine.ts";
import { child } from "../testing/sandboxed/child.tsx";
import { asking, inline, napping } from "../testing/sandboxed/inline.tsx";
import { boxed, readIn } from "../testing/sandboxed/boxed.tsx";

const rowsOf = async ({ store }: ReturnType<typeof sandboxEngine>, runId: string, { registry }: WorkflowDefinition) =>
  Object.fromEntries(
    await Promise.all(
      registry.tables.map(async (table) => {
        const cells = await store.outputs(runId, table);
        return [table.name, cells.map((row) => decodeRow(table, row.cells))] as const;
      }),
    ),
  );

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
  expect(readIn(engine.root, "a.txt")).toBe("old\n");
  const [asked] = await engine.store.approvals({ only: "open" });
  expect(asked?.request.metadata).toMatchObject({ paths: ["a.txt", "b.txt", "c.txt"] });
  expect(asked?.request.metadata?.["patch"]).toContain("-old\n+new\n");
  expect((await why(engine.store, run.runId)).reasons).toMatchObject([
    { kind: "approval", text: expect.stringContaining("sandbox box (process, process)") },
  ]);

  await decide(engine, run.runId, "approve");
  const resumed = await engine.resume(workflow, run.runId);
  expect((await resumed.result).status).toBe("finished");
  expect([readIn(engine.root, "a.txt"), readIn(engine.root, "b.txt"), existsSync(join(engine.root, "c.txt"))]).toEqual([
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
  expect(readIn(engine.root, "a.txt")).toBe("new");
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
  expect([existsSync(join(engine.root, "a.txt")), readIn(engine.root, "b.txt")]).toEqual([false, "mine"]);
});

test("a row that does not fit is told before anybody is asked", async () => {
  const engine = sandboxEngine({ work: leaves({ "a.txt": "new" }, { m: 1 }) });
  const run = await engine.start(boxed());

  expect(await run.result).toMatchObject({ status: "failed", error: { code: "INVALID_OUTPUT" } });
  expect(await engine.store.approvals({})).toEqual([]);
});

// ---- what runs inside ----

test("a child workflow runs in there by the engine, with its own environment and the folder without secrets", async () => {
  const engine = realEngine({ "given.txt": "given", ".env": "KEY=1" });
  const workflow = smithers(() => (
    <Workflow name="boxed">
      <Sandbox
        id="box"
        workflow={child}
        input={{ n: 21 }}
        output={outputs.n}
        env={{ GREETING: "hi" }}
        autoAcceptDiffs
      />
    </Workflow>
  ));
  const run = await engine.start(workflow);

  expect((await run.result).status).toBe("finished");
  expect(readIn(engine.root, "made.txt")).toBe("21 given");
  const seen = readIn(engine.root, "seen.json");
  expect(JSON.parse(seen)).toMatchObject({ secret: false, greeting: "hi", path: true });
});

test("E3: a file that changed since the run loaded it goes into no sandbox", async () => {
  const engine = realEngine({ "given.txt": "given" });
  const file = fileURLToPath(new URL("../testing/sandboxed/inline.tsx", import.meta.url));
  const text = readFileSync(file, "utf8");
  const start = (loaded: string) => {
    const source = { entry: "inline.tsx", files: { "inline.tsx": sha256(loaded) }, packages: {} };
    return engine.start({ ...inline, file, source }, { input: { n: 6 } });
  };

  expect(await (await start(`${text} `)).result).toMatchObject({
    status: "failed",
    error: { code: "SANDBOX_EXECUTION_FAILED", message: expect.stringContaining("inline.tsx changed since this run") },
  });
  expect((await (await start(text)).result).status).toBe("finished");
});

test("children of a sandbox run in there: they read what is recorded around them, pass after pass", async () => {
  const engine = realEngine();
  const run = await engine.start(inline, { input: { n: 6 } });

  expect((await run.result).status).toBe("finished");
  const rows = await rowsOf(engine, run.runId, inline);
  const { pid, sum = [] } = rows;
  expect(pid).toEqual([{ pid: process.pid, at: new Date(1_000) }]);
  expect(sum.map((row) => row["sum"])).toEqual([6, 12]);
  expect(sum.every((row) => row["pid"] !== process.pid && (row["at"] as Date).getTime() === 1_000)).toBe(true);
});

test("a person who would be waited for inside is told to be waited for outside", async () => {
  const engine = realEngine();
  const run = await engine.start(asking);

  expect(await run.result).toMatchObject({
    status: "failed",
    error: { code: "SANDBOX_EXECUTION_FAILED", message: expect.stringContaining("put approvals, signals") },
  });
});

test("a timer inside is sat out", async () => {
  const engine = realEngine();
  const run = await engine.start(napping);

  expect((await run.result).status).toBe("finished");
});

test("what fails inside fails the step by its own code", async () => {
  const engine = realEngine();
  const workflow = smithers(() => (
    <Workflow name="boxed">
      <Sandbox id="box" workflow={child} input={{ n: "no number" }} output={outputs.n} />
    </Workflow>
  ));

  expect(await (await engine.start(workflow)).result).toMatchObject({
    status: "failed",
    error: { code: "INVALID_INPUT", message: expect.stringContaining("in sandbox box") },
  });
});

test("a workflow that no file exports cannot be sent, and is told so", async () => {
  const engine = realEngine();
  const hidden = boxed();
  const workflow = smithers(() => (
    <Workflow name="boxed">
      <Sandbox id="box" workflow={hidden} output={outputs.n} />
    </Workflow>
  ));

  expect(await (await engine.start(workflow)).result).toMatchObject({
    status: "failed",
    error: { code: "SANDBOX_EXECUTION_FAILED", message: expect.stringContaining("export it, by default or by name") },
  });
});
