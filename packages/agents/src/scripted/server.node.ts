import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { systemClock } from "@smooth/platform/node/system";
import { chat } from "./dialects/chat.ts";
import { DEMO_MODEL, type Dialect, type StreamEvent } from "./dialects/dialect.ts";
import { messages } from "./dialects/messages.ts";
import { responses } from "./dialects/responses.ts";
import { type Fault, faultQueue } from "./faults.ts";
import type { Persona } from "./persona.ts";

/** The scripted model over real HTTP on loopback: `/v1/chat/completions`, `/v1/messages` and `/v1/responses` (streamed or
 *  whole) and `/v1/models`.
 *  S1. Everything it says about itself says DEMO.
 *  S2. The turn follows from the request alone; only injected faults are counted. */

export interface ScriptedServerOptions {
  readonly persona: Persona;
  readonly faults?: readonly Fault[];
  /** Pause between streamed chunks, so that a person can watch. */
  readonly chunkMs?: number;
  readonly port?: number;
}

export interface ScriptedServer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>/v1` */
  readonly url: string;
  readonly port: number;
  readonly requests: readonly Asked[];
}

export interface Asked {
  readonly path: string;
  /** In the header of its dialect, as it came. */
  readonly key: string;
  readonly body: Readonly<Record<string, unknown>>;
}

const DIALECTS: readonly Dialect[] = [chat, messages, responses];

export async function startScriptedServer(options: ScriptedServerOptions): Promise<ScriptedServer> {
  const requests: Asked[] = [];
  const nextFault = faultQueue(options.faults ?? []);
  const server = createServer((request, response) => {
    answer(request, response, { options, requests, nextFault }).catch((error: unknown) =>
      response.destroy(error as Error),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    port,
    requests,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Serving {
  readonly options: ScriptedServerOptions;
  readonly requests: Asked[];
  readonly nextFault: ReturnType<typeof faultQueue>;
}

async function answer(request: IncomingMessage, response: ServerResponse, serving: Serving): Promise<void> {
  const path = new URL(request.url ?? "/", "http://localhost").pathname;
  if (request.method === "GET" && path === "/v1/models")
    return json(response, 200, {
      object: "list",
      data: [{ id: DEMO_MODEL, object: "model", created: 0, owned_by: "DEMO" }],
    });
  const dialect = DIALECTS.find((one) => one.path === path);
  if (request.method !== "POST" || !dialect) return json(response, 404, chat.error(404, "DEMO: no such path"));
  await speak(dialect, { request, response, text: await bodyOf(request) }, serving);
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly text: string;
}

async function speak(dialect: Dialect, { request, response, text }: Exchange, serving: Serving): Promise<void> {
  const refuse = (status: number, why: string): void => json(response, status, dialect.error(status, `DEMO: ${why}`));
  const body = parse(text);
  if (body === undefined) return refuse(400, "the body is not JSON");
  serving.requests.push({ path: dialect.path, key: keyOf(request), body });
  const history = dialect.historyOf(body);
  const fault = serving.nextFault(history);
  if (fault?.kind === "status") {
    if (fault.retryAfterSeconds !== undefined) response.setHeader("retry-after", String(fault.retryAfterSeconds));
    return refuse(fault.status, `injected ${fault.status}`);
  }
  const complaint = dialect.complaint(body);
  if (complaint !== null) return refuse(400, complaint);
  const turn = serving.options.persona(history);
  const sent = {
    id: createHash("sha256").update(text).digest("hex").slice(0, 12),
    turn,
    inputTokens: tokensIn(text),
    outputTokens: tokensIn(turn.text + JSON.stringify(turn.calls)),
    spoilt: fault?.kind === "garbage-args",
  };
  if (body["stream"] !== true) return json(response, 200, dialect.whole(sent));
  await stream(response, dialect.stream(sent), {
    chunkMs: fault?.kind === "slow" ? fault.chunkMs : (serving.options.chunkMs ?? 0),
    cutAfter: fault?.kind === "cut" ? fault.afterChunks : Infinity,
  });
}

/** Four characters a token: an estimate, as everything about a model that does not exist. */
const tokensIn = (text: string): number => Math.ceil(text.length / 4);

function keyOf({ headers }: IncomingMessage): string {
  const key = headers["x-api-key"];
  return typeof key === "string" ? `x-api-key ${key}` : (headers.authorization ?? "");
}

async function stream(
  response: ServerResponse,
  events: readonly StreamEvent[],
  { chunkMs, cutAfter }: { readonly chunkMs: number; readonly cutAfter: number },
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  response.flushHeaders();
  for (const [at, { event, data }] of events.entries()) {
    if (gone.signal.aborted) return;
    if (at >= cutAfter) return void response.destroy();
    const lines = `${event === undefined ? "" : `event: ${event}\n`}data: ${data}\n\n`;
    await new Promise<void>((resolve) => response.write(lines, () => resolve()));
    if (chunkMs > 0) await systemClock.sleep(chunkMs, gone.signal).catch(() => null);
  }
  response.end();
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk as string;
  return text;
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === "object" ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
