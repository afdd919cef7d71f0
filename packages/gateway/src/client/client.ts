import type { Clock } from "@smooth/platform/ports";
import { SmoothError, toSmoothError, type ErrorCode } from "@smooth/protocol/errors";
import {
  GATEWAY,
  type MethodName,
  type Output,
  type RawInput,
  type StreamName,
  type UnaryName,
} from "@smooth/protocol/gateway";
import { ErrorBody, fromErrorBody, RPC_PATH } from "../wire.ts";
import { webSleep } from "../web-clock.ts";
import { readSse } from "./sse.ts";

/** A typed caller of the method table, on fetch alone: the same in the browser, the CLI and tests.
 *  X1. A stream yields every `seq` once and in order, however often the line drops.
 *  X2. What cannot get better by trying again is thrown at once; the rest is tried until the signal ends it. */

export interface GatewayClient {
  call<M extends UnaryName>(method: M, input: RawInput<M>, signal?: AbortSignal): Promise<Output<M>>;
  /** Ends when the host ends it; throws only what X2 says, and the signal's reason. */
  stream<M extends StreamName>(method: M, input: RawInput<M>, signal: AbortSignal): AsyncIterable<Output<M>>;
}

export interface ClientOptions {
  /** Origin of the gateway, e.g. `http://127.0.0.1:4400`; "" for the page's own. */
  readonly baseUrl: string;
  /** The owner's token; browsers sign in by cookie instead. */
  readonly token?: string;
  readonly fetch?: typeof fetch;
  readonly sleep?: Clock["sleep"];
  /** Called before a stream waits to reconnect, and with null when it is live again. */
  readonly onLine?: (trouble: SmoothError | null) => void;
}

const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 10_000;
/** The host says something at least every 15 s. */
const SILENCE_MS = 45_000;

const WORTH_RETRYING: ReadonlySet<ErrorCode> = new Set(["HOST_OFFLINE", "RATE_LIMITED", "TIMED_OUT", "INTERNAL"]);

export function createGatewayClient({
  baseUrl,
  token,
  fetch: send = (url, init) => fetch(url, init),
  sleep = webSleep,
  onLine = () => {},
}: ClientOptions): GatewayClient {
  const request = async (method: MethodName, input: unknown, signal?: AbortSignal): Promise<Response> => {
    const answer = await send(`${baseUrl}${RPC_PATH}/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...(token !== undefined && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(input),
      ...(signal && { signal }),
    }).catch((cause: unknown) => {
      signal?.throwIfAborted();
      throw new SmoothError("HOST_OFFLINE", `no answer from ${baseUrl || "the host"}`, { cause });
    });
    if (answer.ok) return answer;
    throw await readError(answer);
  };

  return {
    async call(method, input, signal) {
      const answer = await request(method, input, signal);
      return understand(method, await answer.json());
    },
    async *stream(method, input, signal) {
      let lastSeq = input.afterSeq ?? 0;
      for (let attempt = 0; ; attempt += 1) {
        try {
          const answer = await request(method, { ...input, afterSeq: lastSeq }, signal);
          onLine(null);
          const messages = readSse(answer, { sleep, silenceMs: SILENCE_MS, signal });
          for await (const event of inOrder(method, messages, lastSeq)) {
            lastSeq = event.seq;
            attempt = 0;
            yield event;
          }
          return;
        } catch (thrown) {
          signal.throwIfAborted();
          const error = toSmoothError(thrown);
          if (!WORTH_RETRYING.has(error.code)) throw error; // X2
          onLine(error);
          await sleep(retryDelayMs(attempt, error), signal);
        }
      }
    },
  };
}

/** X1 */
async function* inOrder<M extends StreamName>(
  method: M,
  messages: AsyncIterable<unknown>,
  afterSeq: number,
): AsyncGenerator<Output<M>> {
  let lastSeq = afterSeq;
  for await (const message of messages) {
    const event = understand(method, message);
    if (event.seq <= lastSeq) continue;
    if (event.seq > lastSeq + 1)
      throw new SmoothError("HOST_OFFLINE", `the stream jumped from ${lastSeq} to ${event.seq}`);
    lastSeq = event.seq;
    yield event;
  }
}

/** Exponential; a host that says when to come back is believed. */
function retryDelayMs(attempt: number, { details }: SmoothError): number {
  const askedMs = typeof details["retryAfterMs"] === "number" ? details["retryAfterMs"] : 0;
  return Math.max(askedMs, Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt));
}

async function readError(answer: Response): Promise<SmoothError> {
  const text = await answer.text();
  const parsed = ErrorBody.safeParse(jsonOrNull(text));
  if (parsed.success) return fromErrorBody(parsed.data);
  // Not the gateway: an edge or a proxy in between.
  return new SmoothError("HOST_OFFLINE", `status ${answer.status} from something that is not the host`);
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function understand<M extends MethodName>(method: M, data: unknown): Output<M> {
  const parsed = GATEWAY[method].output.safeParse(data);
  if (parsed.success) return parsed.data as Output<M>;
  throw new SmoothError(
    "CONFLICT",
    `the host answered ${method} in a shape this client does not know; update the older of the two`,
    {
      cause: parsed.error,
    },
  );
}
