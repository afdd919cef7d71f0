/** @jsxImportSource smithers-orchestrator */
/** One run over HTTP, by real requests on loopback. */
import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAdaptorServer } from "@hono/node-server";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { createSmithers, runWorkflow } from "./index.ts";
import { createServeApp, type ServeOptions } from "./serve.ts";
import { readEvents, until, type Told } from "./testing/sse.ts";

const { Workflow, Task, Approval, Signal, smithers, outputs } = createSmithers({
  output: z.object({ n: z.number() }),
  decision: z.object({ approved: z.boolean(), note: z.string().nullable() }),
  go: z.object({ on: z.boolean() }),
});
const gated = smithers((ctx) => (
  <Workflow name="gated">
    <Task id="first" output={outputs.output}>
      {{ n: 1 }}
    </Task>
    <Approval id="gate" output={outputs.decision} request={{ title: "Go on?" }} onDeny="continue" />
    <Task id="last" output={outputs.output}>
      {() => ({ n: ctx.output(outputs.decision, "gate").approved ? 2 : 0 })}
    </Task>
  </Workflow>
));
const waiting = smithers(() => (
  <Workflow name="waiting">
    <Signal id="go" schema={outputs.go} />
  </Workflow>
));

let rootDir: string;
const closing: (() => unknown)[] = [];
beforeEach(() => {
  rootDir = mkdtempSync(join(tmpdir(), "serve-"));
});
afterEach(() => {
  for (const close of closing.splice(0)) close();
  rmSync(rootDir, { recursive: true });
});

async function serving(options: Partial<ServeOptions> = {}) {
  const workflow = options.workflow ?? gated;
  const abort = new AbortController();
  const run = runWorkflow(workflow, { input: {}, rootDir, runId: "r", signal: abort.signal });
  const { status } = await run;
  const adapter = join(rootDir, "smithers.db");
  const server = createAdaptorServer(
    createServeApp({ workflow, adapter, runId: "r", abort, authToken: "s3", ...options }),
  );
  await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
  closing.push(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const call = async (method: string, path: string, body?: string) => {
    const init = {
      method,
      headers: { authorization: "Bearer s3", connection: "close" },
      ...(body === undefined ? {} : { body }),
    };
    const response = await fetch(url + path, init);
    return {
      status: response.status,
      json: (await response.json()) as { error?: { code: string } } & Record<string, unknown>,
    };
  };
  return { url, call, status, abort };
}
const AUTH = { headers: { authorization: "Bearer s3" } };

test("W1: only /health is answered without the token, in either of its headers", async () => {
  const { url } = await serving();
  const at = async (path: string, headers = {}) => (await fetch(url + path, { headers })).status;

  expect(await (await fetch(`${url}/health`)).json()).toEqual({ ok: true });
  for (const path of ["/", "/events", "/frames", "/metrics", "/nowhere"]) expect(await at(path)).toBe(401);
  expect(await at("/", { authorization: "Bearer s4" })).toBe(401);
  expect(await at("/", { "x-smithers-key": "s3" })).toBe(200);
});

test("W3: where no token is asked for, a program is answered and a web page is not; the environment may name the token", async () => {
  await runWorkflow(gated, { input: {}, rootDir, runId: "r" });
  const options = { workflow: gated, adapter: join(rootDir, "smithers.db"), runId: "r", abort: new AbortController() };
  const at = async (headers: Record<string, string>) =>
    (await createServeApp(options).request("/", { headers })).status;

  expect([await at({}), await at({ origin: "https://evil" })]).toEqual([200, 401]);
  vi.stubEnv("SMITHERS_API_KEY", "from-env");
  expect([await at({}), await at({ authorization: "Bearer from-env" })]).toEqual([401, 200]);
  vi.unstubAllEnvs();
});

test("a run is looked at, followed, decided and goes on; a stream cut in between is taken up without gap or repetition", async () => {
  const { url, call } = await serving();
  expect((await call("GET", "/")).json).toMatchObject({
    runId: "r",
    workflowName: "workflow",
    status: "waiting-approval",
    finishedAtMs: null,
    summary: { finished: 1, pending: 1 },
  });
  const first = await readEvents(`${url}/events`, AUTH, until("ApprovalRequested"));
  const seen = first.at(-1)?.seq ?? -1;

  const decided = await call("POST", "/approve/gate", '{"note":"Ship it","decidedBy":"alice"}');

  expect(decided).toEqual({ status: 200, json: { runId: "r" } });
  const rest = await readEvents(`${url}/events?afterSeq=${seen}`, AUTH);
  const types = [...first, ...rest].map(({ event }) => event.type);
  expect(types.at(-1)).toBe("RunFinished");
  expect([...first, ...rest].map(({ seq }) => seq)).toEqual(types.map((_, at) => at)); // F1, F2
  const again = await readEvents(`${url}/events`, { headers: { ...AUTH.headers, "last-event-id": String(seen) } });
  expect(again).toEqual<Told[]>(rest);
  expect((await call("GET", "/")).json).toMatchObject({ status: "finished", summary: { finished: 3 } });
});

describe("what is refused, by code", () => {
  test("a second decision, an unknown node, a body that is none", async () => {
    const { call } = await serving();
    expect((await call("POST", "/deny/gate")).status).toBe(200);

    const refused = [
      await call("POST", "/approve/gate"),
      await call("POST", "/approve/nobody"),
      await call("POST", "/approve/gate", "{"),
      await call("POST", "/approve/gate", '{"by":"alice"}'),
      await call("POST", "/approve/gate", JSON.stringify({ note: "x".repeat(1_048_576) })),
      await call("GET", "/events?afterSeq=x"),
      await call("GET", "/nowhere"),
    ];

    expect(refused.map(({ status, json }) => [status, json.error?.code])).toEqual([
      [409, "ALREADY_DECIDED"],
      [404, "ASK_NOT_FOUND"],
      [400, "INVALID_JSON"],
      [400, "INVALID_REQUEST"],
      [413, "PAYLOAD_TOO_LARGE"],
      [400, "INVALID_REQUEST"],
      [404, "NOT_FOUND"],
    ]);
  });

  test("a run is cancelled once", async () => {
    const { call, abort } = await serving({ workflow: waiting });

    expect((await call("POST", "/cancel")).json).toEqual({ runId: "r" });
    expect(abort.signal.aborted).toBe(true);
    expect((await call("GET", "/")).json).toMatchObject({ status: "cancelled" });
    expect(await call("POST", "/cancel")).toMatchObject({ status: 409, json: { error: { code: "RUN_NOT_ACTIVE" } } });
  });
});

test("frames are listed from where one stands, and metrics count the run's events", async () => {
  const { url, call } = await serving();

  const { frames } = (await call("GET", "/frames?limit=2")).json as {
    frames: { frameNo: number; root: { kind: string } }[];
  };
  expect(frames.map(({ root }) => root.kind)).toEqual(["workflow", "workflow"]);
  const next = (await call("GET", `/frames?afterFrameNo=${frames[0]?.frameNo}`)).json as {
    frames: { frameNo: number }[];
  };
  expect(next.frames.map(({ frameNo }) => frameNo)).toEqual([frames[1]?.frameNo]);

  const metrics = await fetch(`${url}/metrics`, AUTH);
  expect(metrics.headers.get("content-type")).toContain("text/plain");
  const text = await metrics.text();
  for (const line of ["smithers_runs_total 1", "smithers_nodes_finished 1", "smithers_approvals_requested 1"])
    expect(text).toContain(`\n${line}\n`);
  const options = { workflow: gated, adapter: join(rootDir, "smithers.db"), runId: "r", abort: new AbortController() };
  expect((await createServeApp({ ...options, metrics: false }).request("/metrics")).status).toBe(404);
});
