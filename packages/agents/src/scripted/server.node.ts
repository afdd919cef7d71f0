import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { systemClock } from "@smooth/platform/node/system";
import { chunksOf, completionOf, DEMO_MODEL, usageOf } from "./chunks.ts";
import { type Fault, faultQueue } from "./faults.ts";
import { historyOf } from "./history.ts";
import type { Persona, Turn } from "./persona.ts";

/** The scripted model over real HTTP on loopback: `/v1/chat/completions` (streamed or whole) and `/v1/models`.
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
  /** Bodies of the chat requests so far, with the key each came with. */
  readonly requests: readonly { readonly authorization: string; readonly body: unknown }[];
}

export async function startScriptedServer(options: ScriptedServerOptions): Promise<ScriptedServer> {
  const requests: { authorization: string; body: unknown }[] = [];
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
  readonly requests: { authorization: string; body: unknown }[];
  readonly nextFault: ReturnType<typeof faultQueue>;
}

async function answer(request: IncomingMessage, response: ServerResponse, serving: Serving): Promise<void> {
  const path = new URL(request.url ?? "/", "http://localhost").pathname;
  if (request.method === "GET" && path === "/v1/models")
    return json(response, 200, {
      object: "list",
      data: [{ id: DEMO_MODEL, object: "model", created: 0, owned_by: "DEMO" }],
    });
  if (request.method !== "POST" || path !== "/v1/chat/completions")
    return json(response, 404, failure("DEMO: no such path"));
  const text = await bodyOf(request);
  const body = parse(text);
  if (body === undefined) return json(response, 400, failure("DEMO: the body is not JSON"));
  serving.requests.push({ authorization: request.headers.authorization ?? "", body });
  const history = historyOf(body);
  const fault = serving.nextFault(history);
  if (fault?.kind === "status") return refuse(response, fault);
  const turn = serving.options.persona(history);
  const id = `chatcmpl-${createHash("sha256").update(text).digest("hex").slice(0, 12)}`;
  const sent = { id, turn, usage: usageOf(text.length, turn) };
  if ((body as { stream?: unknown }).stream !== true) return json(response, 200, completionOf(sent));
  await stream(response, spoilt(chunksOf(sent), turn, fault), {
    chunkMs: fault?.kind === "slow" ? fault.chunkMs : (serving.options.chunkMs ?? 0),
    cutAfter: fault?.kind === "cut" ? fault.afterChunks : Infinity,
  });
}

async function stream(
  response: ServerResponse,
  chunks: readonly unknown[],
  { chunkMs, cutAfter }: { readonly chunkMs: number; readonly cutAfter: number },
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  response.flushHeaders();
  for (const [at, chunk] of chunks.entries()) {
    if (gone.signal.aborted) return;
    if (at >= cutAfter) return void response.destroy();
    await new Promise<void>((resolve) => response.write(`data: ${JSON.stringify(chunk)}\n\n`, () => resolve()));
    if (chunkMs > 0) await systemClock.sleep(chunkMs, gone.signal).catch(() => null);
  }
  response.end("data: [DONE]\n\n");
}

/** `garbage-args`: the first call's arguments are cut in the middle. */
function spoilt(chunks: readonly unknown[], turn: Turn, fault: Fault["what"] | null): readonly unknown[] {
  if (fault?.kind !== "garbage-args" || turn.calls.length === 0) return chunks;
  const words = turn.text.match(/\s*\S+/g) ?? [];
  return chunks.toSpliced(1 + words.length + 2, 1);
}

function refuse(response: ServerResponse, fault: Extract<Fault["what"], { kind: "status" }>): void {
  if (fault.retryAfterSeconds !== undefined) response.setHeader("retry-after", String(fault.retryAfterSeconds));
  json(response, fault.status, failure(`DEMO: injected ${fault.status}`));
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

const failure = (message: string): unknown => ({ error: { message, type: "demo", code: null } });

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk as string;
  return text;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
