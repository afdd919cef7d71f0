import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Output } from "@smooth/protocol/gateway";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { processGroups } from "@smooth/engine/supervisor/process-groups";
import { eventually } from "../patience.ts";
import { isRunning } from "./processes.ts";
import { OVER, RealHost } from "./real-host.ts";
import { makeRepository, type Repository } from "./repository.ts";
import { ROOT } from "../workspaces.ts";

/** `smithers` and `th` on runs of workflow files: each verb as a program, against a real host, judged by what it did.
 *  C1. stdout is data. C2. Bad input ends with 4 and names the thing. */

const FLOW = `
import { createSmithers, Sequence, Task } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { defineTool, write } from "smithers-orchestrator/tools";
import { z } from "zod";
const { Workflow, smithers, outputs } = createSmithers({
  input: z.object({ word: z.string().default("one") }),
  plan: z.object({ word: z.string() }),
  edit: z.object({ wrote: z.string() }),
  output: z.object({ said: z.string() }),
});
const order = defineTool({ name: "order", schema: z.object({}), sideEffect: true, idempotent: false, execute: async (_, ctx) => ctx.idempotencyKey });
const editor = scriptedAgent({
  tools: { write, order },
  answers: async ({ callTool, prompt }) => {
    const word = /<(.*?)>/.exec(prompt)[1];
    await callTool("write", { path: "word.txt", content: word + "\\n" });
    await callTool("order", {});
    return { wrote: word };
  },
});
export default smithers((ctx) => (
  <Workflow name="story">
    <Sequence>
      <Task id="plan" output={outputs.plan}>{() => ({ word: ctx.input.word })}</Task>
      <Task id="edit" output={outputs.edit} agent={editor} deps={{ plan: outputs.plan }} noRetry>
        {({ plan }) => "Write <" + plan.word + ">."}
      </Task>
      <Task id="say" output={outputs.output} deps={{ edit: outputs.edit }}>
        {({ edit }) => ({ said: edit.wrote.toUpperCase() })}
      </Task>
    </Sequence>
  </Workflow>
));
`;
const HOT = `
import { existsSync } from "node:fs";
import { createSmithers, Sequence, Task } from "smithers-orchestrator";
import { z } from "zod";
const { Workflow, smithers, outputs } = createSmithers({ wait: z.object({ ok: z.boolean() }), output: z.object({ said: z.string() }) });
export default smithers(() => (
  <Workflow name="hot">
    <Sequence>
      <Task id="wait" output={outputs.wait}>
        {async () => {
          while (!existsSync(GO)) await new Promise((resolve) => setTimeout(resolve, 50));
          return { ok: true };
        }}
      </Task>
      <Task id="say" output={outputs.output}>{{ said: "old" }}</Task>
    </Sequence>
  </Workflow>
));
`;

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

let host: RealHost;
let repo: Repository;
let flow: string;

async function run(bin: "th" | "smithers", args: readonly string[], home = host.home): Promise<Ended> {
  const child = spawn(process.execPath, [join(ROOT, `apps/agent-host/src/bin/${bin}.mjs`), ...args], {
    cwd: repo.path,
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], SMOOTH_HOME: home, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const code = new Promise<number | null>((resolve) => child.on("close", resolve));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { out, err, code: await code };
}
const smithers = (...args: string[]): Promise<Ended> => run("smithers", args);
const th = (...args: string[]): Promise<Ended> => run("th", args);
async function json<T>(asked: Promise<Ended>): Promise<T> {
  const { out, err, code } = await asked;
  expect({ code, err }).toMatchObject({ code: 0 });
  return JSON.parse(out) as T;
}
const status = (runId: string, wanted: string): Promise<void> =>
  eventually(async () => expect((await host.client.call("getRun", { runId: runId as never })).status).toBe(wanted));
const word = (): string => readFileSync(join(repo.path, "word.txt"), "utf8");
const example = (name: string): string => join(ROOT, "examples", `${name}.tsx`);

beforeAll(async () => {
  host = new RealHost({});
  repo = makeRepository(join(host.dir, "work"), { "flow.tsx": FLOW, "word.txt": "zero\n" });
  flow = join(repo.path, "flow.tsx");
  await host.start();
});
afterAll(() => host?.[Symbol.asyncDispose]());

test("graph shows tree and tasks without a host; what is no workflow is named", async () => {
  const empty = join(host.dir, "empty");
  mkdirSync(empty, { recursive: true });
  const shown = await run("smithers", ["graph", "flow.tsx", "--json"], empty);
  const read = await run("smithers", ["graph", "flow.tsx"], empty);
  const bad = await Promise.all([smithers("graph", "nothing.tsx"), smithers("graph", "flow.tsx", "--input", "{")]);

  expect((JSON.parse(shown.out) as { tasks: { nodeId: string }[] }).tasks.map(({ nodeId }) => nodeId)).toEqual([
    "plan",
    "edit",
    "say",
  ]);
  expect(read.out).toMatch(/^Workflow story\n {2}Sequence\n {4}Task plan\n/i);
  expect(bad.map(({ code }) => code)).toEqual([4, 4]);
  expect(bad[0]?.err).toContain("nothing.tsx");
  expect(existsSync(join(empty, "host.json"))).toBe(false);
});

describe("a run and its past", () => {
  const RUN = "run-story00001";

  test("up tells what happens and ends with what it came to", async () => {
    const done = await smithers("up", "flow.tsx", "-r", RUN, "-i", '{"word":"two"}', "-c", "2");

    expect({ code: done.code, out: JSON.parse(done.out) as unknown }).toEqual({ code: 0, out: { said: "TWO" } });
    expect(done.err).toContain("finished");
    expect((await smithers("up", "flow.tsx", "-r", RUN, "-i", '{"word":"two"}')).out).toBe(done.out);
    const other = await Promise.all([
      smithers("up", "flow.tsx", "-r", RUN),
      smithers("up", example("hello"), "-r", RUN),
    ]);
    expect(other.map(({ code, err }) => [code, err.split("\n")[0]])).toEqual([
      [1, expect.stringContaining("with another input")],
      [1, expect.stringContaining(`of ${flow}`)],
    ]);
    expect(await json(smithers("output", RUN))).toEqual({ output: { said: "TWO" } });
    expect(await smithers("up", "flow.tsx", "--root", "/nowhere")).toMatchObject({
      code: 4,
      err: expect.stringContaining("/nowhere") as string,
    });
  });

  test("timeline lists attempts by frame; diff shows what an attempt did to the files", async () => {
    const { timelines } = await json<Output<"runTimeline">>(smithers("timeline", RUN, "--json"));
    const attempts = timelines[0]?.entries.flatMap((entry) => (entry.kind === "attempt" ? [entry.nodeId] : []));
    const diff = await smithers("diff", RUN, "--node", "edit");

    expect(attempts).toEqual(["plan", "edit", "say"]);
    expect(diff.out).toContain("-zero\n+two");
    expect((await smithers("diff", RUN)).code).toBe(4);
  });

  test("retry-task names what cannot be undone and stops there; forced, it does the task and what follows again", async () => {
    const blocked = await smithers("retry-task", RUN, "-n", "edit");
    expect(blocked).toMatchObject({ code: 1, err: expect.stringContaining("order by edit#0") as string });
    const forced = await smithers("retry-task", "flow.tsx", "-r", RUN, "-n", "edit", "--force");
    expect(forced).toMatchObject({ code: 0, out: "edit::0\nsay::0\n" });
    await smithers("supervise", "--once");
    await status(RUN, "finished");

    const { timelines } = await json<Output<"runTimeline">>(smithers("timeline", RUN, "--json"));
    expect(timelines[0]?.entries).toContainEqual(
      expect.objectContaining({ kind: "attempt", nodeId: "edit", attempt: 2 }),
    );
    const bad = await Promise.all([
      smithers("retry-task", RUN),
      smithers("retry-task", RUN, "-n", "nobody"),
      smithers("retry-task", example("hello"), "-r", RUN, "-n", "edit"),
    ]);
    expect(bad.map(({ code }) => code)).toEqual([4, 1, 4]);
    expect(bad[1]?.err).toContain("nobody");
  });

  test("revert puts the files back that an attempt left; the run does not notice", async () => {
    writeFileSync(join(repo.path, "word.txt"), "by hand\n");
    expect((await smithers("revert", RUN, "-n", "edit")).code).toBe(0);
    expect(word()).toBe("two\n");
    await status(RUN, "finished");
  });

  test("fork with another input is a run of its own; diff of the two names the difference", async () => {
    const forked = await smithers("fork", RUN, "-f", "1", "-i", '{"word":"three"}', "-l", "try", "--run", "--force");
    const forkId = forked.out.trim();

    expect({ code: forked.code, out: await json(smithers("output", forkId)) }).toEqual({
      code: 0,
      out: { output: { said: "THREE" } },
    });
    expect((await smithers("diff", RUN, forkId)).out).toContain('"TWO"} → {"said":"THREE"}');
    expect((await smithers("timeline", RUN, "--tree")).out).toContain(`${forkId} is finished, forked from ${RUN}:1`);
    expect(word()).toBe("three\n");
  });

  test("replay puts the files back first; timetravel takes the run and its files back, and resume goes on", async () => {
    const { entries } = (await json<Output<"runTimeline">>(smithers("timeline", RUN, "--json"))).timelines[0] ?? {};
    const began = entries?.find((entry) => entry.kind === "attempt" && entry.nodeId === "edit")?.frame ?? 0;
    const replayed = await smithers("replay", RUN, "-f", String(began - 1), "--restore-vcs", "--force");
    expect({ code: replayed.code, word: word() }).toEqual({ code: 0, word: "two\n" });

    const back = await smithers("timetravel", RUN, "-n", "edit", "-a", "1", "--force");
    expect({ code: back.code, word: word() }).toEqual({ code: 0, word: "zero\n" });
    await status(RUN, "paused");
    await smithers("resume", RUN);
    await smithers("supervise", "--once");
    await status(RUN, "finished");
    expect(word()).toBe("two\n");
  });

  test("rewind wants to be confirmed", async () => {
    expect(await smithers("rewind", RUN, "-f", "2")).toMatchObject({
      code: 4,
      err: expect.stringContaining("--confirm") as string,
    });
    expect((await smithers("rewind", RUN, "-f", "2", "--confirm", "--force")).code).toBe(0);
    await status(RUN, "paused");
    expect((await smithers("rewind", RUN, "-f", "99999", "--confirm")).code).toBe(1);
  });
});

test("what people are asked is in the inbox; an answer, a refusal and a choice reach the run", async () => {
  await smithers("up", example("human-task"), "-r", "run-human0001");
  await smithers("up", example("human-task"), "-r", "run-human0002");
  const waiting = await smithers("up", example("approval-select"), "-r", "run-choice0001");
  const request = "run-human0001::review::0";

  expect(waiting).toMatchObject({ code: 3, err: expect.stringContaining("smithers approve run-choice0001") as string });
  const inbox = await json<{ asks: unknown[]; questions: { requestId: string }[] }>(th("inbox", "--json"));
  expect(inbox.questions.map(({ requestId }) => requestId)).toEqual([request, "run-human0002::review::0"]);
  expect(inbox.asks).toHaveLength(1);
  expect((await smithers("human", "list", "run-human0001")).out).toContain("May it be merged?");

  expect((await th("answer", request, "--value", '{"approved":"x"}')).code).toBe(4);
  expect((await th("answer", request, "--value", '{"approved":true,"severity":"low"}')).code).toBe(0);
  expect((await smithers("human", "cancel", "run-human0002::review::0", "--note", "no time")).code).toBe(0);
  expect(await smithers("approve", "run-choice0001", "--choose", "magic")).toMatchObject({
    code: 4,
    err: expect.stringContaining("cache, index") as string,
  });
  expect((await smithers("approve", "run-choice0001", "--choose", "index")).code).toBe(0);
  expect((await smithers("deny", "run-choice0001", "-n", "plan")).err).toMatch(/approved by .+ already/);

  await status("run-human0001", "finished");
  await status("run-human0002", "failed");
  await status("run-choice0001", "finished");
  expect(await json(smithers("output", "run-choice0001"))).toEqual({ output: { done: "index" } });
});

test("a workflow's run is paused, resumed and cancelled as an operator is", async () => {
  await smithers("up", example("human-task"), "-r", "run-pause0001");
  expect((await th("pause", "run-pause0001")).code).toBe(0);
  await status("run-pause0001", "paused");
  expect((await th("resume", "run-pause0001")).code).toBe(0);
  await status("run-pause0001", "waiting");
  expect((await th("cancel", "run-pause0001")).code).toBe(0);
  await status("run-pause0001", "cancelled");
  expect((await th("cancel", "run-pause0001")).err).toContain("is cancelled already");
});

test("up --hot takes up an edit of the file while the run goes on", async () => {
  const go = join(host.dir, "go");
  const file = join(repo.path, "hot.tsx");
  const source = HOT.replace("GO", JSON.stringify(go));
  writeFileSync(file, source);
  const running = smithers("up", "hot.tsx", "--hot", "-r", "run-hot000001");
  await status("run-hot000001", "running");
  await host.eventsUntil("run-hot000001" as never, (event) => event.type === "node.started");
  writeFileSync(`${file}.new`, source.replace("old", "new"));
  renameSync(`${file}.new`, file); // all of it at once: an empty file would be an edit too
  await host.eventsUntil("run-hot000001" as never, (event) => event.type === "note" && /edited/.test(event.text));
  writeFileSync(go, "");

  expect(JSON.parse((await running).out)).toEqual({ said: "new" });
});

test("cron: a schedule is made, shown, rests, fires again and is forgotten; a bad pattern is named", async () => {
  const id = (await smithers("cron", "add", "0 4 * * *", "flow.tsx", "--timezone", "Europe/Berlin")).out.trim();
  const bad = await Promise.all([
    smithers("cron", "add", "61 * * * *", "flow.tsx"),
    smithers("cron", "add", "* * * * *", "nothing.tsx"),
    smithers("cron", "rm", "cron-nobody"),
    smithers("cron", "add", "0 4 * * *", "flow.tsx", "-i", '{"word":3}'),
  ]);
  const shown = async () => (await json<Output<"listSchedules">>(smithers("cron", "list", "--json"))).schedules;

  expect(await shown()).toMatchObject([{ scheduleId: id, workflow: flow, timezone: "Europe/Berlin", paused: false }]);
  await smithers("cron", "stop", id);
  expect(await shown()).toMatchObject([{ paused: true, nextMs: null }]);
  await smithers("cron", "start");
  expect(await shown()).toMatchObject([{ paused: false }]);
  expect((await smithers("cron", "rm", id)).code).toBe(0);
  expect(await shown()).toEqual([]);
  expect(bad.map(({ code }) => code)).toEqual([4, 4, 1, 4]);
  expect(bad[0]?.err).toContain("61 * * * *");
});

test("the host fires a schedule at its time", async () => {
  const id = (await smithers("cron", "add", "* * * * * *", example("hello"))).out.trim();
  const fired = await eventually(async () => {
    const { schedules } = await host.client.call("listSchedules", {});
    expect(schedules[0]?.lastRunId).toMatch(/^run-cron/);
    return schedules[0]?.lastRunId ?? "";
  });
  await smithers("cron", "rm", id);

  await status(fired, "finished");
  // It fired every second until it was forgotten: what a later test counts is over by then.
  await eventually(async () => {
    const { runs } = await host.client.call("listRuns", {});
    expect(runs.filter(({ runId, status }) => runId.startsWith("run-cron") && !OVER.has(status))).toEqual([]);
  });
});

test("memory and scores are read back", async () => {
  await smithers("up", example("memory"), "-r", "run-memory001");
  await smithers("up", example("scorers"), "-r", "run-scores001");
  const kept = await json<Output<"listFacts">>(smithers("memory", "list", "workflow:memory", "--json"));

  expect(kept.facts.map(({ key }) => key)).toEqual(["login-test"]);
  expect((await smithers("memory", "get", "workflow:memory", "login-test")).out).toContain("flaky");
  expect((await smithers("memory", "recall", "flaky login", "-n", "workflow:memory")).out).toContain("login-test");
  expect((await smithers("memory", "list", "nonsense")).code).toBe(4);
  await eventually(async () => {
    const { scores } = await json<Output<"runScores">>(smithers("scores", "run-scores001", "--json"));
    expect(scores.map(({ scorer }) => scorer).toSorted()).toEqual(["schema", "short"]);
  });
});

test("gc says what would go, then lets it go; what another run needs stays", async () => {
  const before = (await json<Output<"listRuns">>(smithers("ps", "--json"))).runs;
  const dry = await smithers("gc", "--dry-run", "--older-than", "0ms");
  expect((await json<Output<"listRuns">>(smithers("ps", "--json"))).runs).toHaveLength(before.length);
  const done = await smithers("gc", "--older-than", "0ms");
  const after = (await json<Output<"listRuns">>(smithers("ps", "--json"))).runs.map(({ runId }) => runId);

  expect(dry.out).toContain("would forget run-hot000001 (age)");
  expect(done.out).toContain("forgot run-hot000001 (age)");
  expect(after).toEqual(["run-story00001"]); // paused
  expect(await smithers("gc", "--older-than", "soon")).toMatchObject({ code: 4 });
});

test("what a dead host left running is killed by the next one", async () => {
  const orphan = spawn("sleep", ["300"], { detached: true, stdio: "ignore" });
  const dead = {
    host: "here",
    boot: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
    pid: 2 ** 22 + 7,
    pidStartedAt: "1",
  };
  processGroups(join(host.home, "groups"), dead).started(orphan.pid ?? 0, repo.path);
  await host.kill();

  await host.start();

  await eventually(() => expect(isRunning(orphan.pid ?? 0)).toBe(false));
});
