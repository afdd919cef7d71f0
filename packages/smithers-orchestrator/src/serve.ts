/** A single run over HTTP, beside the process that drives it: look, follow, decide, cancel.
 *  V1. Every route is about `runId`; no request can name another run.
 *  V2. A decision that nobody's process waits for takes the run up here, with the given workflow. */
import { isOwnerAlive } from "@smooth/engine/process-owner";
import { OVER } from "@smooth/engine/events";
import { lastResult, resumeRun } from "@smooth/engine/run";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { SmithersEvents } from "@smooth/workflow/smithers-events";
import { openWorkspace } from "@smooth/workflow/workspace";
import { dirname } from "node:path";
import type { Hono } from "hono";
import { authTokenOf } from "./hosting/door.ts";
import { createApp } from "./hosting/http.ts";
import { cancel, decide, listFrames, streamEvents, type Runs } from "./hosting/routes.ts";
import { viewOf } from "./hosting/run-view.ts";
import { createSmithersMetrics, prometheusContentType } from "./observability.ts";

export interface ServeOptions {
  readonly workflow: WorkflowDefinition;
  /** The path of the `smithers.db` that the run is in. */
  readonly adapter: string;
  readonly runId: string;
  /** Aborted by POST /cancel: give its signal to `runWorkflow`. */
  readonly abort: AbortController;
  /** Default: the environment's SMITHERS_API_KEY; without either nobody is asked for one. */
  readonly authToken?: string;
  /** Whether there is GET /metrics; default true. */
  readonly metrics?: boolean;
}

const MAX_BODY_BYTES = 1_048_576;

/** An app for any server that takes a `fetch`. It holds the database open as long as the process lives. Throws CONFIG_INVALID: an empty token. */
export function createServeApp(options: ServeOptions): Hono {
  const { adapter, runId, abort, metrics = true } = options;
  const authToken = authTokenOf(options.authToken);
  const { deps } = openWorkspace({ rootDir: dirname(adapter), databasePath: adapter });
  const { store } = deps;
  const runs: Runs = { ...deps, wake: () => void goOn(options, deps).catch(() => undefined) };
  const app = createApp({ authToken, maxBodyBytes: MAX_BODY_BYTES });
  app.get("/", async (c) => c.json(await viewOf(store, runId)));
  app.get("/events", (c) => streamEvents(c, runs, runId));
  app.get("/frames", (c) => listFrames(c, runs, runId));
  app.post("/approve/:nodeId", (c) => decide(c, runs, { runId, nodeId: c.req.param("nodeId"), verdict: "approve" }));
  app.post("/deny/:nodeId", (c) => decide(c, runs, { runId, nodeId: c.req.param("nodeId"), verdict: "deny" }));
  app.post("/cancel", async (c) => {
    const response = await cancel(c, runs, runId);
    if (response.ok) abort.abort();
    return response;
  });
  if (metrics)
    app.get("/metrics", async (c) => {
      const counted = createSmithersMetrics();
      const names = new SmithersEvents();
      for (const event of await store.events(runId, 0)) names.translate(event).forEach(counted.emit);
      return c.text(await counted.exposition(), 200, { "content-type": prometheusContentType });
    });
  return app;
}

/** V2 */
async function goOn(
  { workflow, runId, abort }: ServeOptions,
  deps: ReturnType<typeof openWorkspace>["deps"],
): Promise<void> {
  const row = await deps.store.run(runId);
  if (!row || row.owner !== null || OVER.has(row.status)) return;
  await lastResult(await resumeRun({ ...deps, workflow, runId, signal: abort.signal, isAlive: isOwnerAlive }));
}
