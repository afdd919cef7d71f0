/** The requests that the single-run app and the server answer alike, each about one run.
 *  R1. One token is nobody in particular: an approval that says who may decide it is not decided here, whatever name is sent. */
import { cancelRun, decideApproval } from "@smooth/engine/control";
import { OVER } from "@smooth/engine/events";
import type { RunStore } from "@smooth/engine/store";
import type { Clock } from "@smooth/platform/ports";
import type { Context } from "hono";
import { SmoothError } from "@smooth/protocol/errors";
import { streamSSE } from "hono/streaming";
import { z } from "zod";
import { followRun } from "./follow-run.ts";
import { readBody, readQuery, refuse } from "./http.ts";
import { framesOf, runOf } from "./run-view.ts";

export interface Runs {
  readonly store: RunStore;
  readonly clock: Clock;
  /** Something was decided: the run may go on. */
  readonly wake: () => void;
}

const count = z.coerce.number().int().nonnegative();
const FramesQuery = z.object({ limit: count.min(1).max(200).default(50), afterFrameNo: count.optional() });
const EventsQuery = z.object({ afterSeq: z.coerce.number().int().min(-1).default(-1) });
const DecisionBody = z.strictObject({
  iteration: z.int().nonnegative().default(0),
  note: z.string().optional(),
  decidedBy: z.string().min(1).default("http"),
});

const KEEP_ALIVE_MS = 10_000;

/** SSE, `id` = seq; a reconnecting EventSource says the last one in a header, which wins. */
export async function streamEvents(c: Context, runs: Runs, runId: string): Promise<Response> {
  const query = readQuery(c, EventsQuery);
  if (query.kind === "refused") return query.response;
  await runOf(runs.store, runId);
  const header = EventsQuery.safeParse({ afterSeq: c.req.header("last-event-id") });
  const afterSeq = header.success && c.req.header("last-event-id") ? header.data.afterSeq : query.value.afterSeq;
  return streamSSE(c, async (stream) => {
    const gone = new AbortController();
    stream.onAbort(() => gone.abort());
    const beat = setInterval(() => void stream.write(": keep-alive\n\n"), KEEP_ALIVE_MS);
    try {
      for await (const { seq, event } of followRun(runs, { runId, afterSeq, signal: gone.signal }))
        await stream.writeSSE({ event: "smithers", data: JSON.stringify(event), id: String(seq) });
    } finally {
      clearInterval(beat);
    }
  });
}

export async function listFrames(c: Context, { store }: Runs, runId: string): Promise<Response> {
  const query = readQuery(c, FramesQuery);
  return query.kind === "refused" ? query.response : c.json({ frames: await framesOf(store, runId, query.value) });
}

export async function decide(
  c: Context,
  { store, clock, wake }: Runs,
  { runId, nodeId, verdict }: { readonly runId: string; readonly nodeId: string; readonly verdict: "approve" | "deny" },
): Promise<Response> {
  const body = await readBody(c, DecisionBody);
  if (body.kind === "refused") return body.response;
  const { iteration, note, decidedBy } = body.value;
  await runOf(store, runId);
  const [asked] = await store.approvals({ runId, ref: { nodeId, iteration } });
  if (asked?.request.allowedUsers ?? asked?.request.allowedScopes)
    throw new SmoothError(
      "POLICY_DENIED",
      `approval ${nodeId} says who may decide it, and a token does not say who calls; decide it through the Gateway or the CLI`,
    ); // R1
  const decision = { verdict, note };
  await decideApproval(store, { runId, nodeId, iteration, decision, by: decidedBy, atMs: clock.now() });
  wake();
  return c.json({ runId });
}

export async function cancel(c: Context, { store, clock }: Runs, runId: string): Promise<Response> {
  const { status } = await runOf(store, runId);
  if (OVER.has(status)) return refuse(c, "RUN_NOT_ACTIVE", `run ${runId} is ${status}`);
  await cancelRun(store, { runId, by: "http", atMs: clock.now() });
  return c.json({ runId });
}
