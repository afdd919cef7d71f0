/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §6 about sandboxes, over a driver that isolates nothing; what isolates is tested on real ones. */
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { Duplex } from "node:stream";
import { decideApproval } from "@smooth/engine/control";
import { decodeRow } from "@smooth/engine/table";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { why } from "@smooth/engine/why";
import { settle } from "@smooth/platform/testing";
import type { FakeFile, FakeProgram } from "@smooth/vm/fake";
import { expect, onTestFinished, test, vi } from "vitest";
import { hostSandboxes } from "../sandbox/host-sandboxes.node.ts";
import { placesIn } from "../sandbox/request.ts";
import type { Writing } from "../sandbox/sandboxes.node.ts";
import { outputs, Parallel, Sandbox, smithers, Task, Workflow } from "../testing/rules.ts";
import { leaves, realEngine, sandboxEngine } from "../testing/sandbox-engine.ts";
import { child } from "../testing/sandboxed/child.tsx";
import { asking, inline, napping } from "../testing/sandboxed/inline.tsx";

const nothing = (): void => {};
const SILENT = { debug: nothing, info: nothing, warn: nothing, error: nothing };

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
  expect(READ(engine.root, "made.txt")).toBe("21 given");
  const seen = READ(engine.root, "seen.json");
  expect(JSON.parse(seen)).toMatchObject({ secret: false, greeting: "hi", path: true });
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

// ---- what may come out ----

const MANIFEST = placesIn("/workspace").manifest;

const bad =
  (change: (files: Map<string, FakeFile>) => void): FakeProgram =>
  async (process) => {
    await leaves({})(process);
    change(process.files);
    return 0;
  };
const file = (text: string): FakeFile => ({ content: Buffer.from(text), mode: 0o644 });

test.each<[string, FakeProgram, string, string]>([
  [
    "a link that leads out",
    bad((files) => files.set("/workspace/l", { ...file(""), target: "/etc/passwd" })),
    "SANDBOX_BUNDLE_INVALID",
    "l: link leaves the tree",
  ],
  ["a manifest that is no JSON", bad((files) => files.set(MANIFEST, file("{"))), "SANDBOX_BUNDLE_INVALID", "no JSON"],
  [
    "a manifest that is over 5 MB",
    bad((files) => files.set(MANIFEST, file("x".repeat(5 * 2 ** 20 + 1)))),
    "SANDBOX_BUNDLE_TOO_LARGE",
    "manifest",
  ],
  [
    "1,001 changed files",
    bad((files) => {
      for (let at = 0; at <= 1_000; at += 1) files.set(`/workspace/${at}`, file("x"));
    }),
    "SANDBOX_BUNDLE_TOO_LARGE",
    "1001 changed paths",
  ],
  [
    "over 100 MB",
    bad((files) => {
      const content = Buffer.alloc(51 * 2 ** 20);
      for (const name of ["a", "b"]) files.set(`/workspace/${name}`, { content, mode: 0o644 });
    }),
    "SANDBOX_BUNDLE_TOO_LARGE",
    "bytes",
  ],
  [
    "no manifest",
    async ({ stderr }) => (stderr.write("boom\n"), 3),
    "SANDBOX_EXECUTION_FAILED",
    "exit code 3, and left no manifest; it last said:\nboom",
  ],
  [
    "a manifest of a program that then failed",
    async (process) => (await leaves({})(process), 1),
    "SANDBOX_EXECUTION_FAILED",
    "exit code 1",
  ],
])("%s is refused whole, and nothing is asked or written", async (_, program, code, says) => {
  const engine = sandboxEngine({ work: program });
  const run = await engine.start(boxed({ retries: 2, retryPolicy: { backoff: "fixed", initialDelayMs: 0 } }));

  expect(await run.result).toMatchObject({ status: "failed", error: { code, message: expect.stringContaining(says) } });
  expect(await engine.store.approvals({})).toEqual([]);
  expect(readdirSync(engine.root)).toEqual([]);
  expect(engine.driver.running.size).toBe(0);
});

test("what the host lets nobody write is refused, whoever would agree", async () => {
  const flow = boxed();
  const writeRefusal = (path: string, { workflow }: Writing) =>
    path.endsWith("flow.tsx") && workflow.build === flow.build ? "this run is made of it" : null;
  const engine = sandboxEngine({ work: leaves({ "flow.tsx": "evil" }) }, { writeRefusal });

  expect(await (await engine.start(flow)).result).toMatchObject({
    status: "failed",
    error: { code: "SANDBOX_BUNDLE_INVALID", message: expect.stringContaining("flow.tsx: this run is made of it") },
  });
});

test("on this machine no sandbox writes what its run is made of", async () => {
  const manifest = JSON.stringify({ status: "finished", output: { n: 1 } });
  const script = `echo evil > flow.tsx; echo '${manifest}' > "$SMOOTH_BUNDLE"`;
  const engine = realEngine({ "flow.tsx": "mine", "work.sh": script });
  vi.stubEnv("SMOOTH_IMAGES", join(engine.root, ".smithers"));
  onTestFinished(() => void vi.unstubAllEnvs());
  const sandboxes = hostSandboxes(engine.root, { minIsolation: "process" }, SILENT);
  const workflow = boxed({ runtime: "process", command: "sh work.sh", autoAcceptDiffs: true });
  const flow = { ...workflow, file: join(engine.root, "flow.tsx") };

  expect(await (await engine.start(flow, { sandboxes })).result).toMatchObject({
    status: "failed",
    error: { code: "SANDBOX_BUNDLE_INVALID", message: expect.stringContaining("flow.tsx: this run is made of it") },
  });
  expect(READ(engine.root, "flow.tsx")).toBe("mine");
});

test("a sandbox that changed files is not kept in the cache; one that changed none is", async () => {
  const ran: string[] = [];
  const engine = sandboxEngine({ work: leaves({ "a.txt": "new" }, { n: 1 }, ran), quiet: leaves({}, { n: 1 }, ran) });
  for (const command of ["work", "work", "quiet", "quiet"])
    await (
      await engine.start(boxed({ command, cache: { key: command }, autoAcceptDiffs: true }))
    ).result;

  expect(ran).toHaveLength(3);
});

// ---- where it may run ----

test.each([
  [{ runtime: "microvm" }, {}, "this host has no sandbox called microvm"],
  [
    {},
    { minIsolation: undefined },
    'process isolates by process, and this host asks for emulated-vm or stronger; allow it with { sandboxes: { minIsolation: "process" } }',
  ],
  [{ allowNetwork: true }, {}, "this host guards no way out"],
])("%o on a host with %o is refused with a way out, and nothing is started", async (props, options, says) => {
  const ran: string[] = [];
  const engine = sandboxEngine({ work: leaves({}, { n: 1 }, ran) }, options);

  expect(await (await engine.start(boxed(props))).result).toMatchObject({
    status: "failed",
    error: { code: "SANDBOX_UNAVAILABLE", message: expect.stringContaining(says) },
  });
  expect(ran).toEqual([]);
});

test("a run that was given no sandboxes says so", async () => {
  const engine = sandboxEngine({});

  expect(await (await engine.start(boxed(), { sandboxes: null })).result).toMatchObject({
    status: "failed",
    error: { code: "SANDBOX_UNAVAILABLE", message: expect.stringContaining("give the run `sandboxes`") },
  });
});

test("with allowNetwork each connection goes through a door of its own, which is closed with the sandbox", async () => {
  const said: string[] = [];
  const egress = ({ nodeId }: { nodeId: string }) => ({
    accept: (connection: Duplex) => void connection.end(`HTTP/1.1 200 OK\r\n\r\nhello ${nodeId}`),
    [Symbol.asyncDispose]: async () => void said.push("closed"),
  });
  const talk: FakeProgram = async (process) => {
    const connection = process.connect();
    const [answer] = (await once(connection, "data")) as [Buffer];
    said.push(answer.toString().split("\r\n\r\n")[1] ?? "");
    return leaves({})(process);
  };
  const engine = sandboxEngine({ work: talk }, { egress });

  expect((await (await engine.start(boxed({ allowNetwork: true }))).result).status).toBe("finished");
  expect(said).toEqual(["hello box", "closed"]);
});

test("no more than maxConcurrent sandboxes exist at once; the others wait in line", async () => {
  let most = 0;
  const work: FakeProgram = async (process) => {
    most = Math.max(most, engine.driver.running.size);
    return leaves({})(process);
  };
  const engine = sandboxEngine({ work }, { maxConcurrent: 2 });
  const workflow = smithers(() => (
    <Workflow name="many">
      <Parallel>
        {[1, 2, 3, 4, 5].map((n) => (
          <Sandbox key={n} id={`box${n}`} output={outputs.n} command="work" />
        ))}
      </Parallel>
    </Workflow>
  ));
  const run = await engine.start(workflow, { maxConcurrency: 5 });

  expect((await run.result).status).toBe("finished");
  expect(most).toBe(2);
});

test("cancelled, the sandbox is killed at once", async () => {
  const engine = sandboxEngine({});
  const run = await engine.start(boxed({ command: "sleep 1000" }));
  await vi.waitUntil(() => engine.driver.running.size === 1);
  run.cancel();

  expect((await run.result).status).toBe("cancelled");
  expect(engine.driver.running.size).toBe(0);
});

test("a sandbox that is silent for its heartbeatTimeoutMs is killed, and one that speaks is not", async () => {
  const engine = sandboxEngine({});
  const run = await engine.start(boxed({ command: "sleep 1000", heartbeatTimeoutMs: 1_000 }));
  await vi.waitUntil(() => engine.events.some(({ type }) => type === "sandbox.shipped"));
  await settle();
  for (let step = 0; step < 3; step += 1) {
    await engine.clock.advance(1_000);
    await settle();
  }

  expect(await run.result).toMatchObject({ status: "failed", error: { code: "TASK_HEARTBEAT_TIMEOUT" } });
  expect(engine.driver.running.size).toBe(0);
});

test("its attempts are told apart, and share an idempotency key", async () => {
  const seen: string[][] = [];
  const work: FakeProgram = async (process) => {
    const { env } = process;
    seen.push([env["SMOOTH_ATTEMPT"] ?? "", env["SMOOTH_IDEMPOTENCY_KEY"] ?? ""]);
    return seen.length === 1 ? 1 : leaves({})(process);
  };
  const engine = sandboxEngine({ work });
  const run = await engine.start(boxed({ retries: 1, retryPolicy: { backoff: "fixed", initialDelayMs: 0 } }));

  expect((await run.result).status).toBe("finished");
  expect(seen.map(([attempt]) => attempt)).toEqual(["1", "2"]);
  expect(new Set(seen.map(([, key]) => key)).size).toBe(1);
});

test("the log tells what was created, shipped and completed", async () => {
  const engine = sandboxEngine({ work: leaves({}) });
  const run = await engine.start(boxed({ memoryLimit: "1g", cpuLimit: "2", env: { TOKEN: "secret" } }));
  await run.result;

  const told = engine.events.filter(({ type }) => type.startsWith("sandbox."));
  expect(told).toMatchObject([
    {
      type: "sandbox.created",
      runtime: "process",
      level: "process",
      config: { memoryMb: 1024, cpus: 2, env: ["TOKEN"] },
    },
    { type: "sandbox.shipped", bundleSizeBytes: expect.any(Number) },
    { type: "sandbox.completed", status: "finished", durationMs: expect.any(Number) },
  ]);
  expect(JSON.stringify(told)).not.toContain("secret");
});

// ---- what is refused by name ----

test.each([
  [{ image: "node:24" }, "PROP_UNSUPPORTED", "`image`"],
  [{ ports: [{ host: 1, container: 2 }] }, "PROP_UNSUPPORTED", "`ports`"],
  [{ workspace: { name: "w" } }, "PROP_UNSUPPORTED", "`workspace`"],
  [{ runtime: "codeplane" }, "PROP_UNSUPPORTED", "use microvm or bubblewrap"],
  [{ volumes: [{ host: "a", container: "/a" }] }, "PROP_UNSUPPORTED", "readonly: true"],
  [{ volumes: [{ host: "a", container: "a", readonly: true }] }, "INVALID_INPUT", "`volumes`"],
  [{ command: "a | b" }, "INVALID_INPUT", "needs a shell"],
  [{ command: "a 'b" }, "INVALID_INPUT", "a quote is not closed"],
  [{ memoryLimit: "12" }, "INVALID_INPUT", "`memoryLimit`"],
  [{ cpuLimit: "0" }, "INVALID_INPUT", "`cpuLimit`"],
  [{ env: { "A B": "1" } }, "INVALID_INPUT", "`env`"],
  [{ command: undefined }, "INVALID_INPUT", "`workflow`"],
  [{ scorers: {} }, "PROP_UNSUPPORTED", "`scorers`"],
])("%o is refused when the frame is rendered", async (props, code, says) => {
  expect(await (await sandboxEngine({}).start(boxed(props))).result).toMatchObject({
    status: "failed",
    error: { code, message: expect.stringContaining(says) },
  });
});
