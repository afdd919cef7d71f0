/** Many workflows and many runs over HTTP: whoever has the token starts any workflow file under `rootDir`.
 *  M1. A workflow file outside `rootDir`, also by a link, is refused before it is loaded.
 *  M2. A run knows the file it is of, relative to `rootDir`: after a restart of the server it is taken up again.
 *  M3. Each start and each resume loads the file as it is now; going on with a changed one is recorded. */
import { realpathSync } from "node:fs";
import { relative, resolve, sep } from "node:path";
import { signalRun } from "@smooth/engine/control";
import { RunStatus } from "@smooth/engine/events";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { loadWorkflow } from "@smooth/workflow/load-workflow";
import { getRequestListener } from "@hono/node-server";
import type { Context, Hono } from "hono";
import { z } from "zod";
import { createApp, readBody, readQuery, refuse } from "./http.ts";
import { cancel, decide, listFrames, streamEvents, type Runs } from "./routes.ts";
import { RunHost } from "./run-host.ts";
import { runOf, summaryOf, viewOf } from "./run-view.ts";
import { createSmithersMetrics, prometheusContentType, type SmithersMetrics } from "../observability.ts";

export interface ServerApp extends AsyncDisposable {
  readonly listener: ReturnType<typeof getRequestListener>;
}

export interface ServerAppOptions {
  readonly rootDir: string;
  readonly db: string | undefined;
  readonly authToken: string | undefined;
  readonly maxBodyBytes: number;
  readonly allowNetwork: boolean;
}

export function openServerApp({ rootDir, db, authToken, maxBodyBytes, allowNetwork }: ServerAppOptions): ServerApp {
  const root = realpathSync(rootDir);
  const metrics = createSmithersMetrics();
  const runs = new RunHost({
    rootDir: root,
    databasePath: db,
    allowNetwork,
    acceptChangesAs: "server",
    find: async (name) => workflowUnder(root, name),
    onEvent: metrics.emit,
  });
  const app = createApp({ authToken, maxBodyBytes });
  addRoutes(app, { runs, metrics, root });
  return { listener: getRequestListener(app.fetch), [Symbol.asyncDispose]: () => runs[Symbol.asyncDispose]() };
}

/** M1, M2. Null: there is no such file under the root. */
async function workflowUnder(root: string, name: string): Promise<WorkflowDefinition | null> {
  const file = insideOf(root, name);
  return file === null ? null : loadWorkflow(file);
}

/** M1 */
function insideOf(root: string, path: string): string | null {
  try {
    const file = realpathSync(resolve(root, path));
    return file.startsWith(root + sep) ? file : null;
  } catch {
    return null; // not there
  }
}

const StartBody = z.strictObject({
  workflowPath: z.string().min(1),
  input: z.record(z.string(), z.json()).default({}),
  runId: z.string().min(1).max(200).optional(),
  resume: z.boolean().default(false),
  force: z.boolean().default(false),
});
const ResumeBody = z.strictObject({ force: z.boolean().default(false) });
const SignalBody = z.strictObject({ payload: z.json().default({}), correlationId: z.string().optional() });
const ListQuery = z.object({
  status: RunStatus.optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
});

interface Face {
  readonly runs: RunHost;
  readonly metrics: SmithersMetrics;
  readonly root: string;
}

function addRoutes(app: Hono, face: Face): void {
  const { runs, metrics } = face;
  const { store, clock } = runs;
  const shared: Runs = { store, clock, wake: () => runs.wake() };
  const decided = (c: Context, verdict: "approve" | "deny"): Promise<Response> =>
    decide(c, shared, { runId: c.req.param("runId") ?? "", nodeId: c.req.param("nodeId") ?? "", verdict });
  const pending = async (c: Context): Promise<Response> =>
    c.json({ approvals: (await store.approvals({ only: "open" })).map(asApproval) });

  app.get("/metrics", async (c) => c.text(await metrics.exposition(), 200, { "content-type": prometheusContentType }));
  app.post("/v1/runs", (c) => begin(c, face));
  app.get("/v1/runs", (c) => list(c, face));
  app.get("/v1/runs/:runId", async (c) => c.json(await viewOf(store, c.req.param("runId"))));
  app.post("/v1/runs/:runId/resume", (c) => resume(c, face, c.req.param("runId")));
  app.post("/v1/runs/:runId/cancel", (c) => cancel(c, shared, c.req.param("runId")));
  app.get("/v1/runs/:runId/events", (c) => streamEvents(c, shared, c.req.param("runId")));
  app.get("/v1/runs/:runId/frames", (c) => listFrames(c, shared, c.req.param("runId")));
  app.post("/v1/runs/:runId/nodes/:nodeId/approve", (c) => decided(c, "approve"));
  app.post("/v1/runs/:runId/nodes/:nodeId/deny", (c) => decided(c, "deny"));
  app.post("/v1/runs/:runId/signals/:signalName", (c) => signal(c, face));
  app.post("/signal/:runId/:signalName", (c) => signal(c, face));
  app.get("/v1/approvals", pending);
  app.get("/v1/approval/list", pending);
}

type Open = Awaited<ReturnType<RunHost["store"]["approvals"]>>[number];
const asApproval = ({ runId, workflow, nodeId, iteration, mode, request, openedAtMs }: Open) => ({
  runId,
  workflowName: workflow,
  nodeId,
  iteration,
  mode,
  request,
  requestedAtMs: openedAtMs,
});

async function begin(c: Context, { runs, root }: Face): Promise<Response> {
  const body = await readBody(c, StartBody);
  if (body.kind === "refused") return body.response;
  const { workflowPath, input, runId, resume: again, force } = body.value;
  if (again && runId === undefined) return refuse(c, "RUN_ID_REQUIRED", "resume needs the runId to resume");
  const file = insideOf(root, workflowPath);
  if (file === null)
    return refuse(c, "WORKFLOW_PATH_OUTSIDE_ROOT", `${workflowPath} is no file under the server's rootDir`);
  if (again && runId !== undefined) {
    await runs.resume(runId, { force, by: "http" });
    return c.json({ runId });
  }
  return c.json({ runId: await runs.launch({ workflow: relative(root, file), input, runId }) });
}

async function resume(c: Context, { runs }: Face, runId: string): Promise<Response> {
  const body = await readBody(c, ResumeBody);
  if (body.kind === "refused") return body.response;
  await runs.resume(runId, { force: body.value.force, by: "http" });
  return c.json({ runId });
}

async function list(c: Context, { runs }: Face): Promise<Response> {
  const query = readQuery(c, ListQuery);
  if (query.kind === "refused") return query.response;
  const { status, limit } = query.value;
  const rows = await runs.store.runs({ limit, ...(status ? { status: [status] } : {}) });
  return c.json({ runs: rows.map(summaryOf) });
}

async function signal(c: Context, { runs }: Face): Promise<Response> {
  const body = await readBody(c, SignalBody);
  if (body.kind === "refused") return body.response;
  const [runId, name] = [c.req.param("runId") ?? "", c.req.param("signalName") ?? ""];
  await runOf(runs.store, runId);
  await signalRun(runs.store, { runId, name, ...body.value, by: "http", atMs: runs.clock.now() });
  runs.wake();
  return c.json({ runId });
}
