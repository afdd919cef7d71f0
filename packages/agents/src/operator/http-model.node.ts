import { type IncomingMessage, request as httpRequest, type RequestOptions } from "node:http";
import type { ApiFormat } from "@smooth/protocol/providers";
import type { Model, ModelAnswer, ModelRequest } from "./model.ts";
import { chatWire } from "./wire/chat.ts";
import { messagesWire } from "./wire/messages.ts";
import { responsesWire } from "./wire/responses.ts";
import { SseReader } from "./wire/sse.ts";
import { final, MAX_ANSWER_CHARS, mayPass, refusal, type Wire } from "./wire/wire.ts";

/** The Model behind a URL, in the provider's dialect, by plain node:http and, in a VM, through Goalie's relay: the request
 *  line then carries the whole URL. Nothing heavier: this starts inside an emulated machine. */

export interface ModelEndpoint {
  /** Base URL, such as `http://model.th.internal/v1`. Plain http: TLS begins at Goalie. */
  readonly url: string;
  readonly token: string;
  /** The slot: which model that is, the host decides. */
  readonly model: string;
  readonly format: ApiFormat;
  /** `http://127.0.0.1:3128` in a VM. */
  readonly proxy: string | null;
}

const WIRES: Readonly<Record<ApiFormat, Wire>> = {
  OpenAiCompat: chatWire,
  Anthropic: messagesWire,
  Responses: responsesWire,
};

const SILENCE_MS = 180_000;
const MAX_ERROR_CHARS = 10_000;

export function httpModel(endpoint: ModelEndpoint): Model {
  return {
    complete: async (request) => {
      const answer = await exchange(endpoint, request).catch((error: unknown) =>
        mayPass(`no answer from the model endpoint: ${String(error)}`),
      );
      request.signal.throwIfAborted();
      return answer;
    },
  };
}

async function exchange(endpoint: ModelEndpoint, request: ModelRequest): Promise<ModelAnswer> {
  const wire = WIRES[endpoint.format];
  const response = await post(endpoint, wire, request);
  const status = response.statusCode ?? 0;
  if (status !== 200) return refusal(status, await textOf(response, MAX_ERROR_CHARS), response.headers["retry-after"]);
  const reader = wire.reader(endpoint.model);
  const show = (payloads: readonly string[]): void => {
    const text = payloads.map((payload) => reader.take(payload)).join("");
    if (text !== "") request.onText(text);
  };
  if (!String(response.headers["content-type"]).includes("text/event-stream")) {
    show([await textOf(response, MAX_ANSWER_CHARS)]);
    return reader.answer();
  }
  const events = new SseReader();
  let chars = 0;
  for await (const chunk of response) {
    chars += (chunk as string).length;
    if (chars > MAX_ANSWER_CHARS) return final(`the provider's answer has more than ${MAX_ANSWER_CHARS} characters`); // W3
    show(events.push(chunk as string));
  }
  show(events.end());
  return reader.answer();
}

function post(endpoint: ModelEndpoint, wire: Wire, request: ModelRequest): Promise<IncomingMessage> {
  const { signal } = request;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = httpRequest(routeTo(endpoint, wire), (response) => resolve(response.setEncoding("utf8")));
  const onAbort = (): void => void outgoing.destroy(new Error("cancelled"));
  outgoing.setTimeout(SILENCE_MS, () => outgoing.destroy(new Error(`silent for ${SILENCE_MS} ms`)));
  outgoing.once("error", reject);
  outgoing.once("close", () => signal.removeEventListener("abort", onAbort));
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  outgoing.end(wire.body(endpoint.model, request));
  return promise;
}

function routeTo({ url, token, proxy }: ModelEndpoint, wire: Wire): RequestOptions {
  const target = new URL(`${url.replace(/\/$/, "")}${wire.path}`);
  const via = proxy === null ? target : new URL(proxy);
  return {
    method: "POST",
    host: via.hostname,
    port: via.port === "" ? 80 : via.port,
    path: proxy === null ? `${target.pathname}${target.search}` : target.href,
    agent: false,
    headers: {
      host: target.host,
      ...wire.headers(token),
      "content-type": "application/json",
      accept: "text/event-stream",
    },
  };
}

/** W3. What comes after `maxChars` is not read. */
async function textOf(response: IncomingMessage, maxChars: number): Promise<string> {
  let text = "";
  for await (const chunk of response) {
    text += chunk as string;
    if (text.length > maxChars) break;
  }
  return text.slice(0, maxChars);
}
