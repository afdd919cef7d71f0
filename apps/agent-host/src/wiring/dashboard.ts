import { hostname, platform, release } from "node:os";
import type { Clock, Ids } from "@smooth/platform/ports";
import { SmoothError, type ErrorCode, ERRORS } from "@smooth/protocol/errors";
import {
  type CommandAck,
  EventsResponse,
  HOST_API,
  HostCommand,
  PairResponse,
  type TicketResponse as Ticket,
  TicketResponse,
} from "@smooth/protocol/host-sync";
import { EventSourceParserStream } from "eventsource-parser/stream";
import { importJWK, SignJWT } from "jose";
import { type HostKey, publicHalf } from "@smooth/tunnel/host-key";
import type { z } from "zod";
import type { OutboxRow } from "./run-log.ts";

/** Calls the dashboard's host API. Every call is one signed request; no state lives here.
 *  D1. A request carries a fresh JWS of this host's device key, good for 60 s and for this dashboard only. */

export interface Enrolment {
  readonly url: string;
  readonly hostId: string;
  readonly org: PairResponse["org"];
  readonly dashboardKey: PairResponse["dashboardKey"];
}

interface Deps {
  readonly deviceKey: HostKey;
  readonly clock: Pick<Clock, "now">;
  readonly ids: Ids;
}

export interface Enrolling {
  readonly code: string;
  readonly deviceKey: HostKey;
  readonly hostName: string | undefined;
  /** The last command this host took, ever: the dashboard counts on from there. */
  readonly lastN: number;
}

/** Enrols this host. The code is single-use; the host's reports start again at seq 1. */
export async function pair(url: string, { code, deviceKey, hostName, lastN }: Enrolling): Promise<Enrolment> {
  const publicKey = publicHalf(deviceKey);
  const body = {
    code,
    publicKey,
    name: hostName ?? hostname(),
    platform: `${platform()} ${release()}`,
    nextSeq: 1,
    lastN,
  };
  const answer = await post(new URL(`${HOST_API}/pair`, url), body, {});
  return { url, ...parse(PairResponse, answer) };
}

export type Dashboard = ReturnType<typeof openDashboard>;

export function openDashboard(enrolment: Enrolment, { deviceKey, clock, ids }: Deps) {
  const at = (path: string) => new URL(`${HOST_API}/${path}`, enrolment.url);
  const authorization = async () => {
    const nowS = Math.floor(clock.now() / 1_000);
    const token = await new SignJWT({ jti: ids.next("jti") })
      .setProtectedHeader({ alg: "EdDSA" })
      .setIssuer(enrolment.hostId)
      .setAudience(new URL(enrolment.url).origin)
      .setIssuedAt(nowS)
      .setExpirationTime(nowS + 60)
      .sign(await importJWK(deviceKey, "EdDSA"));
    return { authorization: `Bearer ${token}` };
  };

  return {
    enrolment,
    /** Resolves when the dashboard knows this host; rejects with its refusal. */
    async ping(): Promise<void> {
      const leave = new AbortController();
      const response = await fetch(at("commands?after=999999999"), {
        headers: await authorization(),
        signal: leave.signal,
      });
      if (!response.ok) throw await refusal(response);
      leave.abort();
    },
    /** The highest outbox seq the dashboard has stored. */
    async push(records: readonly OutboxRow[], signal: AbortSignal): Promise<number> {
      const answer = await post(at("events"), { records }, { headers: await authorization(), signal });
      return parse(EventsResponse, answer).ackedSeq;
    },
    async acknowledge(acks: readonly CommandAck[], signal: AbortSignal): Promise<void> {
      await post(at("acks"), { acks }, { headers: await authorization(), signal });
    },
    async ticket(slug?: string): Promise<Ticket> {
      return parse(TicketResponse, await post(at("ticket"), slug ? { slug } : {}, { headers: await authorization() }));
    },
    /** Commands after `n`, as they come, until the connection ends. `onOpen` says that the dashboard answered. */
    async *commands(
      afterN: number,
      { signal, onOpen }: { signal: AbortSignal; onOpen: () => void },
    ): AsyncGenerator<HostCommand> {
      const url = at("commands");
      url.searchParams.set("after", String(afterN));
      const response = await fetch(url, {
        headers: { ...(await authorization()), accept: "text/event-stream" },
        signal,
      });
      if (!response.ok || !response.body) throw await refusal(response);
      onOpen();
      for await (const message of response.body
        .pipeThrough(new TextDecoderStream())
        .pipeThrough(new EventSourceParserStream())) {
        yield parse(HostCommand, JSON.parse(message.data));
      }
    },
  };
}

async function post(
  url: URL,
  body: unknown,
  { headers = {}, signal }: { headers?: Record<string, string>; signal?: AbortSignal },
): Promise<unknown> {
  const init = {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  };
  const response = await fetch(url, signal ? { ...init, signal } : init);
  if (!response.ok) throw await refusal(response);
  return response.json();
}

async function refusal(response: Response): Promise<SmoothError> {
  const text = await response.text();
  try {
    const { error } = JSON.parse(text) as {
      error: { code: ErrorCode; message: string; details?: Record<string, unknown> };
    };
    if (error.code in ERRORS) return new SmoothError(error.code, error.message, { details: error.details ?? {} });
  } catch {
    // Not our JSON: a proxy or an error page answered.
  }
  return new SmoothError("HOST_OFFLINE", `the dashboard answered ${response.status} at ${response.url}`);
}

function parse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new SmoothError(
    "INVALID_INPUT",
    `the dashboard's answer has another shape: ${parsed.error.issues[0]?.message}`,
  );
}
