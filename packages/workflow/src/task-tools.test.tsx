/** @jsxImportSource @smooth/workflow */
/** The built-in tools and defineTool as agents of real runs use them: real files, processes and sockets. */
import { execFileSync } from "node:child_process";
import { AsyncResource } from "node:async_hooks";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { StoredEvent } from "@smooth/engine/events";
import type { GenerateArgs } from "@smooth/engine/task";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { networkWall } from "@smooth/tools/network-wall";
import { bash, edit, grep, read, write } from "@smooth/tools/task/built-in";
import { defineTool } from "@smooth/tools/task/define-tool";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { runWorkflow, type RunWorkflowOptions } from "./run-workflow.node.ts";
import { outputs, Parallel, smithers, Task, Workflow } from "./testing/rules.ts";

let root: string;
beforeEach(() => {
  root = join(mkdtempSync(join(tmpdir(), "task-tools-")), "root");
  mkdirSync(root);
});
afterEach(() => rmSync(dirname(root), { recursive: true }));

const said = (text: string) => ({ output: { text } });
const refusal = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "done",
    (error: Error) => error.message,
  );

interface How extends Partial<RunWorkflowOptions> {
  readonly allowTools?: readonly string[];
}

/** Runs one task whose agent does `work`, and gives the run's result and its events about tools. */
async function asTask(work: (args: GenerateArgs) => Promise<string>, { allowTools, ...options }: How = {}) {
  const events: StoredEvent[] = [];
  const workflow = smithers(() => (
    <Workflow name="tools">
      <Task
        id="a"
        output={outputs.text}
        agent={{ id: "worker", generate: async (args) => said(await work(args)) }}
        retryPolicy={{ backoff: "fixed", initialDelayMs: 1 }}
        retries={3}
        {...(allowTools ? { allowTools } : {})}
      >
        Work.
      </Task>
    </Workflow>
  ));
  const onEvent = (event: StoredEvent) => void events.push(event);
  const result = await runWorkflow(workflow, { input: {}, rootDir: root, onEvent, ...options });
  return { result, calls: events.filter((event) => event.type === "tool.started" || event.type === "tool.finished") };
}

test("an agent reads, writes, edits, searches and runs commands in the root; every call is in the log", async () => {
  const patch = "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-one\n+two\n";
  const { result, calls } = await asTask(async () => {
    await write.execute({ path: "src/a.txt", content: "one\n" });
    await edit.execute({ path: "src/a.txt", patch });
    const found = await grep.execute({ pattern: "two" });
    const ran = await bash.execute({ cmd: "cat", args: ["a.txt"], opts: { cwd: "src" } });
    return `${await read.execute({ path: join(root, "src/a.txt") })}|${found}|${ran}`;
  });

  expect(result).toMatchObject({ status: "finished" });
  expect(readFileSync(join(root, "src/a.txt"), "utf8")).toBe("two\n");
  expect(calls.map((event) => event.type === "tool.finished" && `${event.call} ${event.tool} ${event.status}`)).toEqual(
    ["write", "edit", "grep", "bash", "read"].flatMap((tool, at) => [false, `${at + 1} ${tool} success`]),
  );
  const sha256 = createHash("sha256").update("one\n").digest("hex");
  expect(calls[0]).toMatchObject({ input: JSON.stringify({ path: "src/a.txt", sha256, sizeBytes: 4 }) });
  expect(calls[3]).toMatchObject({ output: "ok" });
});

test("the calls can be read with SQL, as `_smithers_tool_calls`", async () => {
  await asTask(async () => (await refusal(read.execute({ path: "none" })), "x"));
  const sql = openSqlite(join(root, "smithers.db"));

  expect(sql.all("SELECT * FROM _smithers_tool_calls")).toMatchObject([
    {
      node_id: "a",
      iteration: 0,
      attempt: 1,
      seq: 1,
      tool_name: "read",
      input_json: '{"path":"none"}',
      status: "error",
    },
  ]);
});

test("what leaves the root is refused, through words and through links; the refusal is thrown and logged", async () => {
  const secret = join(dirname(root), "secret.txt");
  writeFileSync(secret, "secret");
  symlinkSync(secret, join(root, "link"));
  const said: string[] = [];
  const { calls } = await asTask(async () => {
    said.push(await refusal(read.execute({ path: "../secret.txt" })));
    said.push(await refusal(read.execute({ path: "link" })));
    said.push(await refusal(write.execute({ path: "link", content: "x" })));
    said.push(await refusal(bash.execute({ cmd: "pwd", opts: { cwd: ".." } })));
    return "x";
  });

  expect(said).toEqual(Array(4).fill(expect.stringContaining("outside the workspace")));
  expect(readFileSync(secret, "utf8")).toBe("secret");
  expect(calls.filter((event) => event.type === "tool.finished" && event.status === "error")).toHaveLength(4);
});

test("limits are kept: size of a file, length of an output, time of a command; a failing command throws its output", async () => {
  writeFileSync(join(root, "big.txt"), "x".repeat(2_000));
  const said: string[] = [];
  await asTask(
    async () => {
      said.push(await refusal(read.execute({ path: "big.txt" })));
      said.push(await refusal(write.execute({ path: "b", content: "x".repeat(2_000) })));
      said.push(await refusal(bash.execute({ cmd: "echo no; exit 3" })));
      return await bash.execute({ cmd: "head -c 5000 big.txt; head -c 5000 big.txt" });
    },
    { maxOutputBytes: 1_000 },
  );
  // The short time is for the command that ends by it alone.
  const late = bash.execute.bind(bash, { cmd: "setsid sleep 91.5 & sleep 92.5" });
  await asTask(async () => (said.push(await refusal(late())), "x"), { toolTimeoutMs: 300 });

  expect(said).toEqual([
    expect.stringMatching(/^File too large/),
    expect.stringMatching(/^Content too large/),
    expect.stringMatching(/exit code 3\s+no/),
    expect.stringContaining("took longer than its timeout"),
  ]);
  expect(sleepers("9[12].5")).toEqual([]);
});

test("T4: what a command left running is gone when its task ends", async () => {
  await asTask(() => bash.execute({ cmd: "setsid sleep 93.5 > /dev/null 2>&1 & echo started" }), {
    allowNetwork: true,
  });

  expect(sleepers("93.5")).toEqual([]);
});

const sleepers = (pattern: string): string[] =>
  execFileSync("ps", ["-eo", "stat,args"], { encoding: "utf8" })
    .split("\n")
    .filter((line) => !line.startsWith("Z") && new RegExp(`sleep ${pattern}$`).test(line));

const walled = await networkWall();

test.skipIf(!walled)("a command reaches the network only when the run allows it, whatever its words", async () => {
  let heard = 0;
  const server = createServer((socket) => ((heard += 1), socket.end()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const cmd = `cp "$(command -v bash)" plain; ./plain -c 'exec 3<>/dev/tcp/127.0.0.1/${port}' && echo through || echo walled`;
  const outputs: string[] = [];
  const work = async () => (outputs.push(await bash.execute({ cmd })), "x");

  await asTask(work);
  // What bash complains about comes by another pipe: before or after.
  expect([outputs.at(-1)?.match(/^(?:walled|through)$/gm), heard]).toEqual([["walled"], 0]);
  await asTask(work, { allowNetwork: true });
  expect(outputs.at(-1)?.trim()).toBe("through");
  await expect.poll(() => heard).toBe(1);
  server.close();
});

test("a command reads no profile of the person whose machine it is", async () => {
  writeFileSync(join(root, ".bash_profile"), "echo from-profile");
  writeFileSync(join(root, ".profile"), "echo from-profile");
  const home = process.env["HOME"];
  process.env["HOME"] = root;
  let said = "";
  await asTask(async () => (said = await bash.execute({ cmd: "echo done" })));
  process.env["HOME"] = home;

  expect(said).toBe("done\n");
});

test("commands do not see this process's secrets", async () => {
  process.env["SMOOTH_TEST_SECRET"] = "hush";
  let env = "";
  await asTask(async () => (env = await bash.execute({ cmd: "env" })));
  delete process.env["SMOOTH_TEST_SECRET"];

  expect(env).toContain("PATH=");
  expect(env).not.toContain("hush");
});

test("a tool the task does not allow does nothing; an empty list allows none", async () => {
  const said: string[] = [];
  const work = async () => {
    said.push(await refusal(write.execute({ path: "a.txt", content: "x" })));
    said.push(await refusal(grep.execute({ pattern: "x" })));
    return "x";
  };

  await asTask(work, { allowTools: [] });
  await asTask(work, { allowTools: ["grep"] });

  expect(said.map((line) => line.includes("does not allow"))).toEqual([true, true, true, false]);
  expect(existsSync(join(root, "a.txt"))).toBe(false);
});

test("grep searches nothing outside the root: not by `..`, not by an absolute path, not through a link", async () => {
  symlinkSync("/etc/hosts", join(root, "leak"));
  writeFileSync(join(root, "in.txt"), "localhost\n");
  const said: string[] = [];
  await asTask(async () => {
    for (const path of ["../../../../etc/hosts", "/etc/hosts", "leak", "in.txt"])
      said.push(await grep.execute({ pattern: "localhost", path }).catch((error: Error) => error.message));
    return "x";
  });

  expect(said.map((line) => line.includes("outside"))).toEqual([true, true, true, false]);
  expect(said[3]).toBe("in.txt:1:localhost\n");
});

test("a call that comes after its body has ended does nothing, and nothing is noted of it", async () => {
  const first: (() => Promise<string>)[] = [];
  let answer: string | undefined;
  const { calls } = await asTask(async ({ attempt }) => {
    first.push(AsyncResource.bind(() => refusal(write.execute({ path: "late.txt", content: "x" }))));
    if (attempt === 1) throw new Error("again");
    answer = await first[0]?.();
    return "x";
  });

  expect(answer).toContain("the attempt is over");
  expect([calls, existsSync(join(root, "late.txt"))]).toEqual([[], false]);
});

test("outside of a task a tool refuses", async () => {
  await expect(read.execute({ path: "x" })).rejects.toMatchObject({ code: "TASK_RUNTIME_UNAVAILABLE" });
});

test("T3: a tool's idempotency key is the same in every attempt, and another for another input and for a repetition", async () => {
  const keys: string[] = [];
  const order = defineTool({
    name: "place_order",
    schema: z.object({ sku: z.string(), count: z.number().default(1) }),
    sideEffect: true,
    idempotent: false,
    execute: ({ sku, count }, { idempotencyKey, attempt }) => {
      keys.push(idempotencyKey);
      return { sku, count, attempt };
    },
  });
  const prompts: string[] = [];
  const { result, calls } = await asTask(async ({ attempt, prompt }) => {
    prompts.push(prompt);
    await order.execute({ sku: "milk" });
    if (attempt === 1) throw new Error("cut off");
    await order.execute({ sku: "bread" });
    await order.execute({ sku: "milk" });
    return "ok";
  });

  expect(result.status).toBe("finished");
  const [first, again, other, repeated] = keys;
  expect(again).toBe(first);
  expect(new Set([first, other, repeated]).size).toBe(3);
  expect(prompts[1]).toContain("- place_order (once)");
  expect(calls[1]).toMatchObject({ output: '{"sku":"milk","count":1,"attempt":1}' });
});

test("T2, T3: the log shows arguments redacted; the key of a call is made of what it was really asked", async () => {
  const keys: string[] = [];
  const send = defineTool({
    name: "send",
    schema: z.object({ token: z.string() }),
    execute: ({ token }, { idempotencyKey }) => (keys.push(idempotencyKey), `sent ${token}`),
  });
  const { calls } = await asTask(
    async () => {
      await send.execute({ token: "hush-1" });
      await send.execute({ token: "hush-2" });
      return "x";
    },
    { redact: (text) => text.replaceAll(/hush-\d/g, "***") },
  );

  expect(calls.map((event) => (event.type === "tool.started" ? event.input : event.output))).toEqual([
    '{"token":"***"}',
    "sent ***",
    '{"token":"***"}',
    "sent ***",
  ]);
  const digests = keys.map((key) => key.split(":").at(-2));
  expect(new Set(digests).size).toBe(2);
});

test("T2: without another rule the values of variables named like secrets stay out of the log", async () => {
  vi.stubEnv("SOME_API_KEY", "sk-very-secret");
  const { calls } = await asTask(async () => {
    await write.execute({ path: "a.txt", content: "key sk-very-secret" });
    return read.execute({ path: "a.txt" }) as Promise<string>;
  });
  vi.unstubAllEnvs();

  expect(JSON.stringify(calls)).not.toContain("sk-very-secret");
  expect(calls.at(-1)).toMatchObject({ output: expect.stringContaining("[redacted:SOME_API_KEY]") as string });
});

test("a tool whose effects must not be repeated and that takes no ctx is warned about when it is defined", async () => {
  const warned = new Promise<Error>((resolve) => process.once("warning", resolve));

  defineTool({
    name: "email.send",
    schema: z.object({ to: z.string() }),
    sideEffect: true,
    idempotent: false,
    execute: (args) => args.to,
  });

  expect(await warned).toMatchObject({
    code: "SMITHERS_TOOL_WITHOUT_CTX",
    message: expect.stringContaining("email.send"),
  });
});

test("calls of tasks that run side by side stay with their own task", async () => {
  const events: StoredEvent[] = [];
  const written = Promise.withResolvers<void>();
  const worker = (id: string) => async (): Promise<unknown> => {
    if (id === "a") await written.promise;
    await write.execute({ path: `${id}.txt`, content: id });
    written.resolve(); // b first, though a was there before it
    return said(id);
  };
  const workflow = smithers(() => (
    <Workflow name="two">
      <Parallel>
        {["a", "b"].map((id) => (
          <Task key={id} id={id} output={outputs.text} agent={{ generate: worker(id) }}>
            Work.
          </Task>
        ))}
      </Parallel>
    </Workflow>
  ));

  await runWorkflow(workflow, { input: {}, rootDir: root, onEvent: (event) => void events.push(event) });

  const started = events.filter((event) => event.type === "tool.started");
  expect(started.map(({ nodeId, input }) => [nodeId, input.slice(0, 15)])).toEqual([
    ["b", '{"path":"b.txt"'],
    ["a", '{"path":"a.txt"'],
  ]);
});
