import { type IncomingMessage, request as httpRequest, type RequestOptions } from "node:http";
import { AnswerBuilder, chatBody, mayPass, refusal } from "./chat-wire.ts";
import type { Model, ModelAnswer, ModelRequest } from "./model.ts";
import { SseReader } from "./sse.ts";

/** The Model behind a chat-completions URL, by plain node:http and, in a VM, through Goalie's relay: the request line then
 *  carries the whole URL. Nothing heavier: this starts inside an emulated machine. */

export interface ChatEndpoint {
  /** Base URL, such as `http://model.th.internal/v1`. Plain http: TLS begins at Goalie. */
  readonly url: string;
  readonly token: string;
  /** The slot: which model that is, the host decides. */
  readonly model: string;
  /** `http://127.0.0.1:3128` in a VM. */
  readonly proxy: string | null;
}

const SILENCE_MS = 180_000;
const MAX_ERROR_CHARS = 10_000;

export function chatModel(endpoint: ChatEndpoint): Model {
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

async function exchange(endpoint: ChatEndpoint, request: ModelRequest): Promise<ModelAnswer> {
  const response = await post(endpoint, chatBody(endpoint.model, request), request.signal);
  const status = response.statusCode ?? 0;
  if (status !== 200) return refusal(status, await textOf(response), response.headers["retry-after"]);
  const builder = new AnswerBuilder(endpoint.model);
  if (!String(response.headers["content-type"]).includes("text/event-stream")) {
    const text = builder.take(await textOf(response, Number.MAX_SAFE_INTEGER));
    if (text !== "") request.onText(text);
    return builder.answer();
  }
  const reader = new SseReader();
  const show = (payloads: readonly string[]): void => {
    const text = payloads.map((payload) => builder.take(payload)).join("");
    if (text !== "") request.onText(text);
  };
  for await (const chunk of response) show(reader.push(chunk as string));
  show(reader.end());
  return builder.answer();
}

function post(endpoint: ChatEndpoint, body: string, signal: AbortSignal): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = httpRequest(routeTo(endpoint), (response) => resolve(response.setEncoding("utf8")));
  const onAbort = (): void => void outgoing.destroy(new Error("cancelled"));
  outgoing.setTimeout(SILENCE_MS, () => outgoing.destroy(new Error(`silent for ${SILENCE_MS} ms`)));
  outgoing.once("error", reject);
  outgoing.once("close", () => signal.removeEventListener("abort", onAbort));
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  outgoing.end(body);
  return promise;
}

function routeTo({ url, token, proxy }: ChatEndpoint): RequestOptions {
  const target = new URL(`${url.replace(/\/$/, "")}/chat/completions`);
  const via = proxy === null ? target : new URL(proxy);
  return {
    method: "POST",
    host: via.hostname,
    port: via.port === "" ? 80 : via.port,
    path: proxy === null ? `${target.pathname}${target.search}` : target.href,
    agent: false,
    headers: {
      host: target.host,
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "text/event-stream",
    },
  };
}

async function textOf(response: IncomingMessage, maxChars = MAX_ERROR_CHARS): Promise<string> {
  let text = "";
  for await (const chunk of response) if (text.length < maxChars) text += chunk as string;
  return text;
}
