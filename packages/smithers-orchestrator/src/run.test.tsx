/** @jsxImportSource smithers-orchestrator */
/** `runWorkflow` as the documentation shows it: its events by their names, its options, files taken back. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { SmithersEvents } from "@smooth/workflow/smithers-events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { bash, createSmithers, revertToAttempt, runWorkflow, type SmithersEvent } from "./index.ts";

const { Workflow, Task, Timer, Approval, smithers, outputs } = createSmithers({
  output: z.object({ text: z.string() }),
  decision: z.object({ approved: z.boolean(), note: z.string().nullable() }),
});

let rootDir: string;
beforeEach(() => {
  rootDir = mkdtempSync(join(tmpdir(), "run-"));
});
afterEach(() => rmSync(rootDir, { recursive: true }));

const busy = (fail: { times: number }) =>
  smithers(() => (
    <Workflow name="busy">
      <Timer id="pause" duration="1ms" />
      <Task id="flaky" output={outputs.output} retryPolicy={{ backoff: "fixed", initialDelayMs: 1 }}>
        {() => {
          if ((fail.times -= 1) >= 0) throw new Error("once");
          return { text: "done" };
        }}
      </Task>
      <Task id="never" output={outputs.output} skipIf>
        {{ text: "" }}
      </Task>
      <Approval id="ship" output={outputs.decision} request={{ title: "Ship?" }} />
    </Workflow>
  ));

const NAMES = [
  "RunStarted",
  "TimerCreated pause",
  "TimerFired pause",
  "NodeStarted flaky 1",
  "NodeFailed flaky 1",
  "NodeRetrying flaky 1",
  "NodeStarted flaky 2",
  "NodeFinished flaky 2",
  "NodeSkipped never",
  "NodeWaitingApproval ship",
  "ApprovalRequested ship",
  "RunStatusChanged waiting-approval",
];
const told = (event: SmithersEvent): string =>
  [
    event.type,
    ...["timerId", "nodeId", "attempt", "status"].flatMap((name) => (name in event ? [event[name as never]] : [])),
  ]
    .join(" ")
    .trim();

describe("progress", () => {
  test("is told by its documented names, to onProgress and to stream.ndjson; the engine's own log to onEvent", async () => {
    const heard: SmithersEvent[] = [];
    const types: string[] = [];
    const logDir = join(rootDir, "logs");

    const result = await runWorkflow(busy({ times: 1 }), {
      input: {},
      rootDir,
      logDir,
      onProgress: (event) => heard.push(event),
      onEvent: ({ type }) => types.push(type),
    });

    expect(result.status).toBe("waiting-approval");
    expect(heard.map(told)).toEqual(NAMES);
    expect(heard.every(({ runId, timestampMs }) => runId === result.runId && timestampMs > 0)).toBe(true);
    const lines = readFileSync(join(logDir, "stream.ndjson"), "utf8").trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(heard);
    expect(types).toContain("approval.opened");
  });

  test("N1: the stored log gives the same events in the same order, however often it is read", async () => {
    const heard: SmithersEvent[] = [];
    const { runId } = await runWorkflow(busy({ times: 1 }), {
      input: {},
      rootDir,
      onProgress: (event) => heard.push(event),
    });
    const sql = openSqlite(join(rootDir, "smithers.db"));
    const stored = await openSqliteStore(sql).events(runId, 0);
    sql.close();

    const names = new SmithersEvents();
    expect(stored.flatMap((event) => names.translate(event))).toEqual(heard);
  });

  test("what happened before a resume is not told again, and is known: a timer fires as a timer", async () => {
    const heard: SmithersEvent[] = [];
    const flow = smithers(() => (
      <Workflow name="later">
        <Timer id="pause" duration="1h" />
      </Workflow>
    ));
    const options = { input: {}, rootDir, runId: "r" };
    expect((await runWorkflow(flow, options)).status).toBe("waiting-timer");
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_700_000 });

    await runWorkflow(flow, { ...options, resume: true, onProgress: (event) => heard.push(event) });

    vi.useRealTimers();
    expect(heard.map(told)).toContain("TimerFired pause");
    expect(heard.map(({ type }) => type)).not.toContain("TimerCreated");
  });
});

test("force takes a run over whose owner lives", async () => {
  const held = Promise.withResolvers<{ text: string }>();
  const began = Promise.withResolvers<void>();
  const flow = (body: () => { text: string } | Promise<{ text: string }>) =>
    smithers(() => (
      <Workflow name="held">
        <Task id="t" output={outputs.output}>
          {body}
        </Task>
      </Workflow>
    ));
  const first = runWorkflow(
    flow(() => {
      began.resolve();
      return held.promise;
    }),
    { input: {}, rootDir, runId: "r" },
  );
  await began.promise;
  const again = { input: {}, rootDir, runId: "r", resume: true } as const;
  const second = flow(() => ({ text: "second" }));
  await expect(runWorkflow(second, again)).rejects.toMatchObject({ code: "RUN_OWNER_ALIVE" });

  expect(await runWorkflow(second, { ...again, force: true })).toMatchObject({ output: { text: "second" } });

  held.resolve({ text: "first" });
  expect((await first).status).toBe("lost");
});

test("a workflowHash stands for the files: another one is a changed workflow", async () => {
  const flow = (workflowHash: string) =>
    smithers(
      () => (
        <Workflow name="hashed">
          <Timer id="pause" duration="1h" />
        </Workflow>
      ),
      { workflowHash, cache: true },
    );
  await runWorkflow(flow("a"), { input: {}, rootDir, runId: "r" });
  const again = { input: {}, rootDir, runId: "r", resume: true };

  await expect(runWorkflow(flow("b"), again)).rejects.toMatchObject({ code: "RESUME_METADATA_MISMATCH" });
  expect((await runWorkflow(flow("a"), again)).status).toBe("waiting-timer");
  expect(() => smithers(() => <Workflow name="x" />, { cache: false })).toThrow("completed task is never run again");
});

test("bash is called as a function, in the folder of the run and nowhere else", async () => {
  writeFileSync(join(rootDir, "a.txt"), "here");
  const flow = smithers((ctx) => (
    <Workflow name="echo">
      <Task id="t" output={outputs.output}>
        {async () => ({
          text: (await bash(`cat a.txt; echo ${ctx.input.msg}`)) + (await bash("printf", ["%s", "$x"])),
        })}
      </Task>
    </Workflow>
  ));

  expect(await runWorkflow(flow, { input: { msg: "hi" }, rootDir, allowNetwork: true })).toMatchObject({
    output: { text: "herehi\n$x" },
  });
  await expect(bash("true")).rejects.toThrow("task");
});

test("revertToAttempt brings back the files that an attempt left; without a recording it says so", async () => {
  const git = (...args: string[]) => execFileSync("git", ["-C", rootDir, ...args], { stdio: "pipe" });
  git("init", "-q", "-b", "main");
  writeFileSync(join(rootDir, ".gitignore"), "smithers.db*\n");
  const file = join(rootDir, "a.txt");
  const agent = {
    generate: async () => {
      writeFileSync(file, "by the agent");
      return { text: '{"text":"ok"}' };
    },
  };
  const flow = smithers(() => (
    <Workflow name="files">
      <Task id="write" output={outputs.output} agent={agent}>
        Write.
      </Task>
      <Task id="compute" output={outputs.output}>
        {{ text: "" }}
      </Task>
    </Workflow>
  ));
  await runWorkflow(flow, { input: {}, rootDir, runId: "r" });
  writeFileSync(file, "spoilt");

  await revertToAttempt({ runId: "r", nodeId: "write", rootDir });

  expect(readFileSync(file, "utf8")).toBe("by the agent");
  await expect(revertToAttempt({ runId: "r", nodeId: "compute", rootDir })).rejects.toMatchObject({
    code: "SNAPSHOT_NOT_FOUND",
  });
});
