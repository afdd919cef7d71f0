/** The server of many runs, by real requests on loopback, over workflow files in a folder of their own. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startServer, type ServerOptions } from "./server.ts";
import { readEvents, until } from "./testing/sse.ts";

const HEAD = `
import { approvalDecisionSchema, Approval, createSmithers, Signal, Task, Timer } from "smithers-orchestrator";
import { z } from "zod";
const { Workflow, smithers, outputs } = createSmithers({
  input: z.object({ msg: z.string() }),
  output: z.object({ text: z.string() }), ship: approvalDecisionSchema, go: z.object({ on: z.boolean() }),
});`;
const FLOWS = {
  "echo.tsx": `export default smithers((ctx) => <Workflow name="echo"><Task id="say" output={outputs.output}>{() => ({ text: ctx.input.msg })}</Task></Workflow>);`,
  "gate.tsx": `export default smithers(() => <Workflow name="gate"><Approval id="ship" output={outputs.ship} request={{ title: "Ship?" }} /><Task id="done" output={outputs.output}>{{ text: "shipped" }}</Task></Workflow>);`,
  "slow.tsx": `export default smithers(() => <Workflow name="wait"><Task id="done" output={outputs.output}>{() => new Promise(() => {})}</Task></Workflow>);`,
  "wait.tsx": `export default smithers(() => <Workflow name="wait"><Signal id="go" schema={outputs.go} /><Task id="done" output={outputs.output}>{{ text: "went" }}</Task></Workflow>);`,
};

let folder: string;
let rootDir: string;
let server: Serving;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "server-"));
  rootDir = join(folder, "root");
  mkdirSync(rootDir);
  for (const [name, text] of Object.entries(FLOWS)) writeFileSync(join(rootDir, name), `${HEAD}\n${text}`);
  server = await serving({ maxBodyBytes: 1_000 });
});
afterAll(async () => {
  await server.stop("SIGTERM");
  rmSync(folder, { recursive: true });
});

interface Answer {
  readonly status: number;
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any;
}

type Serving = Awaited<ReturnType<typeof serving>>;

/** A process that serves, as Node runs it: a workflow file shares the packages of its process. */
async function serving(options: ServerOptions = {}) {
  const given = JSON.stringify({ port: 0, rootDir, authToken: "s3", ...options });
  const script = `
    import { startServer } from "smithers-orchestrator/server";
    const server = startServer(${given});
    server.once("listening", () => console.log(server.address().port));
    process.once("SIGTERM", () => { server.close(); server.closeAllConnections(); });`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const port = Number(line.toString());
  const url = `http://127.0.0.1:${port}`;
  const stop = async (signal: "SIGTERM" | "SIGKILL"): Promise<void> => {
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
  };
  const call = async (method: string, path: string, body?: unknown, token = "s3"): Promise<Answer> => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(url + path, { method, headers, ...(body === undefined ? {} : { body: text }) });
    return { status: response.status, json: await response.json() };
  };
  const follow = (runId: string, enough?: Parameters<typeof readEvents>[2], query = "") =>
    readEvents(`${url}/v1/runs/${runId}/events${query}`, { headers: { "x-smithers-key": "s3" } }, enough);
  const begin = (workflowPath: string, more: object = {}): Promise<Answer> =>
    call("POST", "/v1/runs", { workflowPath, input: { msg: "hi" }, ...more });
  return { port, url, stop, call, follow, begin };
}

test("a workflow file is started, followed to its end, and listed; metrics have counted it", async () => {
  const { call, follow, begin, url } = server;

  expect(await begin("./echo.tsx", { runId: "run-echo" })).toEqual({ status: 200, json: { runId: "run-echo" } });

  const told = await follow("run-echo");
  expect(told.map(({ event }) => event.type)).toEqual([
    "RunStarted",
    "NodeStarted",
    "NodeFinished",
    "RunStatusChanged",
    "RunFinished",
  ]);
  expect((await call("GET", "/v1/runs/run-echo")).json).toMatchObject({ status: "finished", summary: { finished: 1 } });
  expect((await call("GET", "/v1/runs?status=finished")).json.runs).toMatchObject([
    { runId: "run-echo", workflowName: "echo.tsx" },
  ]);
  expect((await call("GET", "/v1/runs?status=failed")).json.runs).toEqual([]);
  expect((await call("GET", "/v1/runs/run-echo/frames?limit=1")).json.frames).toHaveLength(1);
  const metrics = await fetch(`${url}/metrics`, { headers: { "x-smithers-key": "s3" } });
  expect(await metrics.text()).toMatch(/\nsmithers_runs_total [1-9]/);
});

test("an approval is listed and decided, a signal is sent, and both runs go on by themselves", async () => {
  const { call, follow, begin } = server;
  await begin("gate.tsx", { runId: "run-gate" });
  await begin("wait.tsx", { runId: "run-wait" });
  const first = await follow("run-gate", until("ApprovalRequested"));
  await follow("run-wait", until("NodePending"));

  expect((await call("GET", "/v1/approvals")).json.approvals).toMatchObject([
    { runId: "run-gate", nodeId: "ship", mode: "approve" },
  ]);
  expect((await call("POST", "/v1/runs/run-gate/nodes/ship/approve", { decidedBy: "ann" })).status).toBe(200);
  expect((await call("POST", "/v1/runs/run-wait/signals/go", { payload: { on: "yes" } })).json.error.code).toBe(
    "INVALID_INPUT",
  );
  expect((await call("POST", "/signal/run-wait/go", { payload: { on: true } })).status).toBe(200);

  const rest = await follow("run-gate", undefined, `?afterSeq=${first.at(-1)?.seq}`);
  const all = [...first, ...rest];
  expect(all.map(({ seq }) => seq)).toEqual(all.map((_, at) => at)); // F1, F2
  expect(all.at(-1)?.event.type).toBe("RunFinished");
  expect((await follow("run-wait")).at(-1)?.event.type).toBe("RunFinished");
});

test("M2, H3: a server that stops lets its runs go, and the next one takes them up, with the file as it is then", async () => {
  const [runId, db, file] = ["run-held", join(folder, "held.db"), "held.tsx"];
  writeFileSync(join(rootDir, file), `${HEAD}\n${FLOWS["slow.tsx"]}`);
  const first = await serving({ db });
  await first.begin(file, { runId });
  await first.follow(runId, until("NodeStarted"));
  await first.stop("SIGTERM");
  writeFileSync(join(rootDir, file), `${HEAD}\n${FLOWS["wait.tsx"]}`);

  const second = await serving({ db });
  await second.follow(runId, until("NodePending"));
  await second.call("POST", `/v1/runs/${runId}/signals/go`, { payload: { on: true } });

  expect((await second.follow(runId)).at(-1)?.event.type).toBe("RunFinished");
  await second.stop("SIGTERM");
});

test("a run is cancelled, and one that is over is neither cancelled nor resumed", async () => {
  const { call, begin, follow } = server;
  await begin("wait.tsx", { runId: "run-stop" });
  await follow("run-stop", until("NodePending"));

  expect((await call("POST", "/v1/runs/run-stop/cancel")).status).toBe(200);

  expect((await follow("run-stop")).at(-1)?.event.type).toBe("RunCancelled");
  expect((await call("POST", "/v1/runs/run-stop/cancel")).json.error.code).toBe("RUN_NOT_ACTIVE");
  expect(await call("POST", "/v1/runs/run-stop/resume")).toMatchObject({
    status: 409,
    json: { error: { code: "RUN_NOT_RESUMABLE" } },
  });
});

describe("what is refused, by code", () => {
  test("M1: files outside the root, also behind a link; ids that are taken; bodies that are none; who has no token", async () => {
    const { call, begin } = server;
    writeFileSync(join(folder, "outside.tsx"), `${HEAD}\n${FLOWS["echo.tsx"]}`);
    symlinkSync(join(folder, "outside.tsx"), join(rootDir, "link.tsx"));
    await begin("echo.tsx", { runId: "run-1" });

    const refused = [
      await begin("../outside.tsx"),
      await begin("link.tsx"),
      await begin(join(folder, "outside.tsx")),
      await begin("missing.tsx"),
      await begin("echo.tsx", { runId: "run-1" }),
      await begin("echo.tsx", { resume: true }),
      await begin("echo.tsx", { input: {} }),
      await begin("echo.tsx", { colour: "red" }),
      await call("POST", "/v1/runs", "{"),
      await begin("echo.tsx", { input: { msg: "x".repeat(2_000) } }),
      await call("GET", "/v1/runs/run-2"),
      await call("GET", "/v1/runs", undefined, "other"),
      await call("DELETE", "/v1/runs"),
    ];

    expect(refused.map(({ status, json }) => [status, json.error.code])).toEqual([
      [400, "WORKFLOW_PATH_OUTSIDE_ROOT"],
      [400, "WORKFLOW_PATH_OUTSIDE_ROOT"],
      [400, "WORKFLOW_PATH_OUTSIDE_ROOT"],
      [400, "WORKFLOW_PATH_OUTSIDE_ROOT"],
      [409, "RUN_ALREADY_EXISTS"],
      [400, "RUN_ID_REQUIRED"],
      [400, "INVALID_INPUT"],
      [400, "INVALID_REQUEST"],
      [400, "INVALID_JSON"],
      [413, "PAYLOAD_TOO_LARGE"],
      [404, "RUN_NOT_FOUND"],
      [401, "UNAUTHORIZED"],
      [404, "NOT_FOUND"],
    ]);
  });

  test("a client that does not finish its headers in time, and a door that would be open to everybody", async () => {
    // A server of its own: at so short a deadline a busy computer is itself a client that takes too long.
    const { port, stop } = await serving({ headersTimeout: 100 });
    const slow = connect(port, "127.0.0.1");
    slow.write("GET /health HTTP/1.1\r\nHost: x\r\n");
    const [answer] = (await once(slow, "data")) as [Buffer];
    slow.destroy();
    await stop("SIGTERM");

    expect(answer.toString()).toMatch(/^HTTP\/1\.1 408 /);
    expect(() => startServer({ host: "0.0.0.0", rootDir, port: 0 })).toThrow("needs an authToken");
  });
});
