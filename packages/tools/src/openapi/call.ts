/** Performs one request and says what came back. Never rejects.
 *  O4. An HTTP error, a timeout, an answer over the limit are answers the agent reads: `{ error: true, message, status }`.
 *  O5. A redirect is followed only to the same origin and only for GET and HEAD, so that credentials stay where they belong. */
import type { HttpRequest } from "./request.ts";

export interface CallLimits {
  readonly timeoutMs: number;
  readonly maxResponseBytes: number;
  readonly fetch: typeof fetch;
}

export type CallAnswer =
  | { readonly kind: "ok"; readonly status: number; readonly value: unknown }
  | { readonly kind: "failed"; readonly status: number | null; readonly message: string };

const MAX_REDIRECTS = 5;

export async function call(request: HttpRequest, limits: CallLimits, signal: AbortSignal): Promise<CallAnswer> {
  const deadline = AbortSignal.timeout(limits.timeoutMs);
  try {
    const response = await send(request, limits.fetch, AbortSignal.any([signal, deadline]));
    const { status } = response;
    const text = await limitedText(response, limits.maxResponseBytes);
    if (text === null)
      return { kind: "failed", status, message: `the answer is longer than ${limits.maxResponseBytes} bytes` };
    if (response.ok) return { kind: "ok", status, value: parsed(response, text) };
    const elsewhere = response.headers.get("location");
    if (status < 400 && elsewhere)
      return { kind: "failed", status, message: `redirected to ${elsewhere}, which is not followed` };
    return { kind: "failed", status, message: `HTTP ${status} ${response.statusText}: ${text.slice(0, 4_000)}`.trim() };
  } catch (error) {
    const message = deadline.aborted ? `no answer within ${limits.timeoutMs} ms` : causes(error);
    return { kind: "failed", status: null, message };
  }
}

async function send(request: HttpRequest, fetchIt: typeof fetch, signal: AbortSignal): Promise<Response> {
  let { url } = request;
  for (let hop = 0; ; hop += 1) {
    const { method, headers, body } = request;
    const response = await fetchIt(url, { method, headers, body, signal, redirect: "manual" });
    const next = redirected(response, url);
    if (next === null || hop === MAX_REDIRECTS || !["GET", "HEAD"].includes(method)) return response;
    await response.body?.cancel();
    url = next;
  }
}

/** O5 */
function redirected({ status, headers }: Response, from: string): string | null {
  const location = headers.get("location");
  if (status < 300 || status >= 400 || location === null) return null;
  const next = new URL(location, from);
  return next.origin === new URL(from).origin ? next.href : null;
}

/** Null when there is more than `maxBytes`; the rest is not read. */
async function limitedText(response: Response, maxBytes: number): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) return null; // leaving the loop cancels the stream
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

function parsed({ headers }: Response, text: string): unknown {
  if (!/\bjson\b/i.test(headers.get("content-type") ?? "")) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** fetch hides the reason in its cause. */
function causes(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
