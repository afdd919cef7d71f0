/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §6 about where a sandbox may run, how it lives there, and which props are refused by name. */
import { once } from "node:events";
import type { Duplex } from "node:stream";
import type { FakeProgram } from "@smooth/vm/fake";
import { expect, test } from "vitest";
import { outputs, Parallel, Sandbox, smithers, Workflow } from "../testing/rules.ts";
import { leaves, sandboxEngine } from "../testing/sandbox-engine.ts";
import { boxed } from "../testing/sandboxed/boxed.tsx";

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
  await expect.poll(() => engine.driver.running.size).toBe(1);
  run.cancel();

  expect((await run.result).status).toBe("cancelled");
  expect(engine.driver.running.size).toBe(0);
});

test("a sandbox that is silent for its heartbeatTimeoutMs is killed, and one that speaks is not", async () => {
  const engine = sandboxEngine({});
  const run = await engine.start(boxed({ command: "sleep 1000", heartbeatTimeoutMs: 1_000 }));
  await expect.poll(() => engine.events.map(({ type }) => type)).toContain("sandbox.shipped");
  let isOver = false;
  void run.result.then(() => (isOver = true));
  await expect.poll(async () => (await engine.clock.advance(1_000), isOver)).toBe(true);

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
