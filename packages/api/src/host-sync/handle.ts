import { ERRORS, SmoothError, toSmoothError } from "@smooth/protocol/errors";
import {
  AcksRequest,
  EventsRequest,
  HOST_API,
  type HostCommand,
  PairRequest,
  TicketRequest,
} from "@smooth/protocol/host-sync";
import type { ApiDeps } from "../context.ts";
import type { HostRow } from "../rows.ts";
import { takeAcks } from "./acks.ts";
import { readBody } from "./body.ts";
import { commandStream } from "./command-stream.ts";
import { authenticateHost } from "./device-auth.ts";
import { storeEvents } from "./events.ts";
import { pairHost } from "./pair.ts";
import type { Rate, RateLimits } from "./rate-limit.ts";
import { issueTicket } from "./ticket.ts";

/** Everything under HOST_API: Request in, Response out. Any web framework can mount it.
 *  H1. Errors are `{error: {code, message, details}}` with the status of the code; the text of a bug stays here.
 *  H2. A host is authenticated before its body is read. */

export interface HostSyncDeps extends ApiDeps {
  readonly rateLimits: RateLimits;
}

interface Route {
  readonly method: "GET" | "POST";
  readonly rate: Rate;
  /** Null host: this route is how a stranger becomes a host. */
  readonly answer: (request: Request, deps: HostSyncDeps, host: HostRow) => Promise<Response>;
}

const MIB = 1_048_576;
const BODIES = {
  pair: { schema: PairRequest, maxBytes: 16_384 },
  events: { schema: EventsRequest, maxBytes: 32 * MIB },
  acks: { schema: AcksRequest, maxBytes: 4 * MIB },
  ticket: { schema: TicketRequest, maxBytes: 4_096 },
};
const PAIR_RATE: Rate = { burst: 20, perMinute: 20 };

const ROUTES: Readonly<Record<string, Route>> = {
  events: {
    method: "POST",
    rate: { burst: 300, perMinute: 3_000 },
    answer: async (request, deps, host) => {
      const { records } = await readBody(request, BODIES.events);
      return json({ ackedSeq: await storeEvents(deps, host, records) });
    },
  },
  commands: {
    method: "GET",
    rate: { burst: 30, perMinute: 120 },
    answer: (request, deps, host) => Promise.resolve(streamCommands(request, deps, host)),
  },
  acks: {
    method: "POST",
    rate: { burst: 300, perMinute: 3_000 },
    answer: async (request, deps, host) => {
      await takeAcks(deps, host, (await readBody(request, BODIES.acks)).acks);
      return json({ ok: true });
    },
  },
  ticket: {
    method: "POST",
    rate: { burst: 20, perMinute: 60 },
    answer: async (request, deps, host) =>
      json(await issueTicket(deps, host, (await readBody(request, BODIES.ticket)).slug)),
  },
};

/** `address` is the caller's as far as the app can trust it; strangers without one share a limit. Never rejects. */
export async function handleHostRequest(request: Request, deps: HostSyncDeps, address = "unknown"): Promise<Response> {
  try {
    return await answer(request, deps, address);
  } catch (error) {
    const smooth = toSmoothError(error);
    const fields = { code: smooth.code, why: String(smooth.cause ?? smooth.message) };
    if (smooth.code === "INTERNAL") deps.log.error("host-sync.bug", fields);
    else deps.log.info("host-sync.refused", fields);
    return refusal(smooth);
  }
}

async function answer(request: Request, deps: HostSyncDeps, address: string): Promise<Response> {
  const { pathname } = new URL(request.url);
  const name = pathname.startsWith(`${HOST_API}/`) ? pathname.slice(HOST_API.length + 1) : "";
  if (name === "pair") {
    allowMethod(request, "POST");
    deps.rateLimits.spend(`pair:${address}`, PAIR_RATE);
    return json(await pairHost(deps, await readBody(request, BODIES.pair)));
  }
  const route = Object.hasOwn(ROUTES, name) ? ROUTES[name] : undefined;
  if (!route) throw new SmoothError("METHOD_NOT_FOUND", `there is nothing at ${pathname}`);
  allowMethod(request, route.method);
  const host = await authenticateHost(request, deps); // H2
  deps.rateLimits.spend(`${name}:${host.id}`, route.rate);
  return route.answer(request, deps, host);
}

function allowMethod(request: Request, method: string): void {
  if (request.method === method) return;
  throw new SmoothError("METHOD_NOT_ALLOWED", `use ${method}`, { details: { allow: method } });
}

function streamCommands(request: Request, deps: HostSyncDeps, { id: hostId }: HostRow): Response {
  const after = new URL(request.url).searchParams.get("after") ?? "0";
  if (!/^\d{1,9}$/.test(after)) throw new SmoothError("INVALID_INPUT", "after: a command number");
  const gone = new AbortController();
  const signal = AbortSignal.any([request.signal, gone.signal]);
  const commands = commandStream(deps, { hostId, afterN: Number(after) }, signal);
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encoder.encode(": open\n\n")),
    pull: async (controller) => {
      const { done, value } = await commands.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(frameOf(value)));
    },
    cancel: async () => {
      gone.abort();
      await commands.return(undefined);
    },
  });
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
    },
  });
}

const frameOf = (command: HostCommand | null): string =>
  command === null ? ": still here\n\n" : `id: ${command.n}\ndata: ${JSON.stringify(command)}\n\n`;

const json = (
  body: unknown,
  { status = 200, headers = {} }: { status?: number; headers?: Record<string, string> } = {},
) => Response.json(body, { status, headers: { "cache-control": "no-store", ...headers } });

/** H1 */
function refusal(error: SmoothError): Response {
  const { retryAfterMs, allow } = error.details;
  return json(
    { error: error.toJSON() },
    {
      status: ERRORS[error.code].http,
      headers: {
        ...(typeof retryAfterMs === "number" && { "retry-after": String(Math.ceil(retryAfterMs / 1_000)) }),
        ...(typeof allow === "string" && { allow }),
      },
    },
  );
}
