import { createHash, timingSafeEqual } from "node:crypto";
import {
  request as requestHttp,
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from "node:http";
import { request as requestHttps } from "node:https";
import { pipeline } from "node:stream/promises";
import { type ApiFormat, SLOTS } from "@smooth/protocol/providers";
import { z } from "zod";
import { holdsSecret } from "../narc/secret-stream.ts";
import { meter, secretCut } from "./guard.node.ts";
import type { Crossing } from "./crossing.node.ts";
import type { ModelRoute, ModelTarget } from "./door.ts";
import { refuseResponse } from "./forward.node.ts";
import { readUsage } from "./usage.ts";

/** `http://model.th.internal/v1`: the guest names a slot, the host picks provider, key and model.
 *  M1. The key exists only between here and the provider: it is not in the request from the guest, and is cut out of the answer.
 *  M2. Only the calls in CALLS exist, and only for the operator's own token.
 *  M3. Only listed headers cross, in either direction.
 *  M4. A provider is asked only in its own dialect, with its key in that dialect's header and its own limit of tokens. */

const CALLS: Readonly<Record<string, ApiFormat>> = {
  "/v1/chat/completions": "OpenAiCompat",
  "/v1/embeddings": "OpenAiCompat",
  "/v1/responses": "Responses",
  "/v1/messages": "Anthropic",
};
const MAX_BODY = 32 * 1024 * 1024;
const Body = z.looseObject({ model: z.string().max(200) });

type Answer =
  | { readonly kind: "answer"; readonly message: IncomingMessage; readonly outgoing: ClientRequest }
  | { readonly kind: "failed" };

/** Never rejects. */
export async function routeModel(
  crossing: Crossing,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const route = crossing.options.modelRoute;
  if (!route || !sameToken(tokenOf(incoming), route.token))
    return problem(crossing, response, { status: 401, rule: "model.token", message: "the model token is wrong" });
  const path = (crossing.target.path ?? "").split("?")[0] ?? "";
  if (crossing.method === "GET" && path === "/v1/models") return listSlots(crossing, response);
  const format = Object.hasOwn(CALLS, path) ? CALLS[path] : undefined;
  if (crossing.method !== "POST" || format === undefined)
    return problem(crossing, response, {
      status: 404,
      rule: "model.path",
      message: `${crossing.method} ${path} is not a model call`,
    });

  const raw = await readBody(incoming);
  if (raw === null)
    return problem(crossing, response, { status: 413, rule: "model.cap", message: "the request is too large" });
  const body = Body.safeParse(parseJson(raw));
  const served = body.success ? route.targets(body.data.model) : [];
  const targets = served.filter((target) => target.format === format); // M4
  if (!body.success || targets.length === 0)
    return problem(crossing, response, {
      status: 404,
      rule: "model.slot",
      message:
        served.length === 0
          ? "no provider serves this model slot; ask a person to add one to providers.json"
          : `no provider of this model slot speaks ${format}; they speak ${served.map((target) => target.format).join(", ")}`,
    });
  if (holdsSecret(raw, crossing.options.secrets()))
    return refuseResponse(crossing, response, {
      status: 403,
      rule: "goalie.secret",
      message: "the request carries a secret of the house",
    });
  await tryTargets({ crossing, route, incoming, response }, body.data, targets);
}

interface Call {
  readonly crossing: Crossing;
  readonly route: ModelRoute;
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
}

/** The first that answers wins; 429 and 5xx go on to the next while there is one. */
async function tryTargets(call: Call, body: z.infer<typeof Body>, targets: readonly ModelTarget[]): Promise<void> {
  for (const [index, target] of targets.entries()) {
    const answer = await ask(call, target, JSON.stringify(bodyFor(target, body, call)));
    const status = answer.kind === "answer" ? (answer.message.statusCode ?? 502) : 502;
    const last = index === targets.length - 1;
    if (answer.kind === "answer" && (last || (status !== 429 && status < 500)))
      return sendBack(call, { target, slot: body.model }, answer);
    if (answer.kind === "answer") answer.outgoing.destroy();
  }
  problem(call.crossing, call.response, { status: 502, rule: `model:${body.model}`, message: "no provider answered" });
}

function ask({ crossing, incoming, response }: Call, target: ModelTarget, body: string): Promise<Answer> {
  const url = new URL(`${target.baseUrl.replace(/\/+$/, "")}${(crossing.target.path ?? "").replace(/^\/v1/, "")}`);
  const headers: OutgoingHttpHeaders = {
    ...picked(incoming, REQUEST_HEADERS),
    ...keyHeaders(target),
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "accept-encoding": "identity",
  };
  return new Promise((resolve) => {
    const outgoing = (url.protocol === "https:" ? requestHttps : requestHttp)(url, {
      method: "POST",
      headers,
      agent: false,
    });
    outgoing.setTimeout(crossing.limits.idleMs, () => outgoing.destroy(new Error("idle")));
    outgoing.once("response", (message) => resolve({ kind: "answer", message, outgoing }));
    outgoing.on("error", () => resolve({ kind: "failed" }));
    response.once("close", () => outgoing.destroy());
    crossing.sent(Buffer.byteLength(body));
    outgoing.end(body);
  });
}

async function sendBack(
  { crossing, route, response }: Call,
  { target, slot }: { target: ModelTarget; slot: string },
  { message, outgoing }: Extract<Answer, { kind: "answer" }>,
): Promise<void> {
  const encoding = message.headers["content-encoding"] ?? "identity";
  const rule = `model:${slot}→${target.providerId}`;
  // M1: what cannot be read cannot be searched for the key.
  if (encoding !== "identity") {
    outgoing.destroy();
    return problem(crossing, response, {
      status: 502,
      rule,
      message: "the provider answered in an encoding nobody asked for",
    });
  }
  const keys = [...crossing.options.secrets(), ...(target.apiKey === null ? [] : [target.apiKey])];
  const usage = readUsage();
  const headers = Object.fromEntries(
    Object.entries(picked(message, RESPONSE_HEADERS)).filter(([, value]) => !holdsSecret(String(value), keys)),
  );
  response.writeHead(message.statusCode ?? 502, headers);
  response.flushHeaders();
  try {
    await pipeline(
      message,
      meter({ maxBytes: crossing.limits.maxResponseBytes, onBytes: crossing.received }),
      secretCut(keys, usage.push),
      response,
    );
    crossing.close("allowed", message.statusCode ?? 502, rule);
  } catch {
    response.destroy();
    crossing.close("allowed", 502, `${rule} (cut short)`);
  }
  route.onUsage?.({ slot, target, usage: usage.end() });
}

const REQUEST_HEADERS = /^(?:accept|anthropic-version|anthropic-beta|openai-beta|user-agent)$/;
const RESPONSE_HEADERS =
  /^(?:content-type|retry-after|request-id|x-request-id|openai-processing-ms|cache-control|x-ratelimit-[a-z-]+|anthropic-ratelimit-[a-z-]+)$/;

/** M3 */
function picked(message: IncomingMessage, names: RegExp): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(message.headers).filter(([name]) => names.test(name)));
}

/** M4 */
function keyHeaders({ apiKey, format }: ModelTarget): OutgoingHttpHeaders {
  const version = format === "Anthropic" ? { "anthropic-version": "2023-06-01" } : {};
  if (apiKey === null) return version;
  return format === "Anthropic" ? { ...version, "x-api-key": apiKey } : { authorization: `Bearer ${apiKey}` };
}

/** M4 */
function bodyFor({ model, maxTokens, format, baseUrl }: ModelTarget, body: object, { crossing }: Call): object {
  if (maxTokens === null || crossing.target.path?.startsWith("/v1/embeddings")) return { ...body, model };
  const {
    max_tokens: _max,
    max_completion_tokens: _completion,
    max_output_tokens: _output,
    ...rest
  } = body as {
    readonly [key: string]: unknown;
  };
  return { ...rest, model, [limitName(format, baseUrl)]: maxTokens };
}

/** OpenAI's newer models refuse the name that everybody else's chat endpoints know. */
function limitName(format: ApiFormat, baseUrl: string): string {
  if (format === "Responses") return "max_output_tokens";
  return format === "OpenAiCompat" && new URL(baseUrl).hostname === "api.openai.com"
    ? "max_completion_tokens"
    : "max_tokens";
}

function tokenOf({ headers }: IncomingMessage): string {
  const key = headers["x-api-key"];
  return typeof key === "string" ? key : (headers.authorization ?? "").replace(/^Bearer /i, "");
}

function sameToken(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return expected !== "" && timingSafeEqual(digest(given), digest(expected));
}

function listSlots(crossing: Crossing, response: ServerResponse): void {
  const data = SLOTS.map((id) => ({ id, object: "model", owned_by: "smooth" }));
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ object: "list", data }));
  crossing.close("allowed", 200, "model.list");
}

/** In the shape model clients understand. */
function problem(
  crossing: Crossing,
  response: ServerResponse,
  { status, rule, message }: { status: number; rule: string; message: string },
): void {
  crossing.close("blocked", status, rule);
  if (response.headersSent) return void response.destroy();
  response
    .writeHead(status, { "content-type": "application/json", connection: "close" })
    .end(JSON.stringify({ error: { type: "smooth_error", code: rule, message } }));
}

async function readBody(incoming: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_BODY) return null;
      chunks.push(chunk);
    }
  } catch {
    return null;
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
