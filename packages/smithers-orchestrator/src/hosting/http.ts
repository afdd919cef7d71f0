/** What every HTTP face of runs shares: who may come in, how much they may send, and how a refusal looks.
 *  W1. Only /health is answered without the token; tokens are compared in constant time.
 *  W2. A refusal is `{ error: { code, message, details? } }` with a 4xx; only our own failures are 5xx, and they tell nothing more.
 *  W3. Where no token is asked for, no web page is answered: a browser says on whose behalf it asks, and a name
 *      that was bent to this machine is not its name. */
import { createHash, timingSafeEqual } from "node:crypto";
import { ERRORS, SmoothError, toSmoothError } from "@smooth/protocol/errors";
import { Hono, type Context, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { z } from "zod";
import { isThisMachine } from "./door.ts";

/** Codes that HTTP has beside those of `ERRORS`. */
const STATUS = {
  INVALID_REQUEST: 400,
  INVALID_JSON: 400,
  RUN_ID_REQUIRED: 400,
  WORKFLOW_PATH_OUTSIDE_ROOT: 400,
  UNAUTHORIZED: 401,
  NOT_FOUND: 404,
  RUN_ALREADY_EXISTS: 409,
  RUN_NOT_ACTIVE: 409,
  RUN_IN_PROGRESS: 409,
  PAYLOAD_TOO_LARGE: 413,
  SERVER_ERROR: 500,
} as const satisfies Record<string, ContentfulStatusCode>;
export type HttpCode = keyof typeof STATUS;

export const refuse = (c: Context, code: HttpCode, message: string): Response =>
  c.json({ error: { code, message } }, STATUS[code]);

/** The engine's codes by their HTTP names. */
const RENAMED: Readonly<Record<string, HttpCode>> = {
  CONFLICT: "RUN_ALREADY_EXISTS",
  RUN_OWNER_ALIVE: "RUN_IN_PROGRESS",
  INTERNAL: "SERVER_ERROR",
};

/** W2 */
function refusalOf(thrown: unknown, c: Context): Response {
  const { code, message, details } = toSmoothError(thrown);
  const renamed = RENAMED[code];
  if (renamed === "SERVER_ERROR") return refuse(c, renamed, "the server failed; its log says why");
  if (renamed) return refuse(c, renamed, message);
  return c.json({ error: { code, message, details } }, ERRORS[code].http as ContentfulStatusCode);
}

export interface AppOptions {
  /** Undefined: nobody is asked for one. */
  readonly authToken: string | undefined;
  readonly maxBodyBytes: number;
}

export function createApp({ authToken, maxBodyBytes }: AppOptions): Hono {
  const app = new Hono();
  app.onError(refusalOf);
  app.notFound((c) => refuse(c, "NOT_FOUND", `no route ${c.req.method} ${c.req.path}`));
  app.use(async (c, next) => {
    await next();
    c.header("x-content-type-options", "nosniff");
    c.header("cache-control", "no-store");
  });
  app.get("/health", (c) => c.json({ ok: true }));
  app.use(authToken === undefined ? noWebPage : tokenNeeded(authToken));
  app.use(
    bodyLimit({
      maxSize: maxBodyBytes,
      onError: (c) => refuse(c, "PAYLOAD_TOO_LARGE", `the body is over ${maxBodyBytes} bytes`),
    }),
  );
  return app;
}

/** W1 */
const tokenNeeded =
  (authToken: string): MiddlewareHandler =>
  async (c, next) => {
    const given = credentialOf(c.req.raw.headers);
    if (given === undefined || !isSameSecret(given, authToken))
      return refuse(c, "UNAUTHORIZED", "send `Authorization: Bearer <token>` or `x-smithers-key: <token>`");
    return next();
  };

/** W3 */
const noWebPage: MiddlewareHandler = async (c, next) => {
  if (c.req.header("origin") !== undefined)
    return refuse(c, "UNAUTHORIZED", "a web page is answered only where an authToken is set");
  const host = c.req.header("host") ?? new URL(c.req.url).host;
  if (!isThisMachine(host))
    throw new SmoothError(
      "FORBIDDEN_ORIGIN",
      `without an authToken only 127.0.0.1 and localhost are served, not ${host}`,
    );
  return next();
};

/** An empty header is none. */
export const credentialOf = (headers: Headers): string | undefined => {
  const bearer = /^Bearer (.+)$/i.exec(headers.get("authorization") ?? "")?.[1];
  return [bearer, headers.get("x-smithers-key")].find((given) => given?.trim()) ?? undefined;
};

/** W1 */
const isSameSecret = (one: string, other: string): boolean => timingSafeEqual(sha256(one), sha256(other));
const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();

export type Read<T> =
  | { readonly kind: "read"; readonly value: T }
  | { readonly kind: "refused"; readonly response: Response };

/** The request's body; an empty one is `{}`. */
export async function readBody<T>(c: Context, schema: z.ZodType<T>): Promise<Read<T>> {
  const text = await c.req.text();
  let json: unknown;
  try {
    json = text === "" ? {} : JSON.parse(text);
  } catch (error) {
    return { kind: "refused", response: refuse(c, "INVALID_JSON", (error as Error).message) };
  }
  return checked(c, schema, json);
}

export const readQuery = <T>(c: Context, schema: z.ZodType<T>): Read<T> => checked(c, schema, c.req.query());

function checked<T>(c: Context, schema: z.ZodType<T>, value: unknown): Read<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return { kind: "read", value: parsed.data };
  return { kind: "refused", response: refuse(c, "INVALID_REQUEST", z.prettifyError(parsed.error)) };
}
