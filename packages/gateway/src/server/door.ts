import type { HttpBindings } from "@hono/node-server";
import type { Context, MiddlewareHandler } from "hono";
import { getCookie } from "hono/cookie";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Log } from "@smooth/platform/ports";
import { ERRORS, SmoothError, toSmoothError } from "@smooth/protocol/errors";
import type { Caller } from "@smooth/protocol/gateway";
import type { Authenticate, Credentials } from "./auth.ts";
import type { RateLimit } from "./rate-limit.ts";

/** What every request passes before a route sees it.
 *  N1. The Host header names this listener (no DNS rebinding), and Origin, when there is one, is that same site.
 *  N2. Nothing under /v1 answers a caller who is nobody.
 *  N3. Every caller has its own budget of requests; all who are nobody share one. */

/** One of the two sockets the gateway listens on. */
export interface Listener {
  readonly via: "local" | "tunnel";
  /** The sites this listener answers as, e.g. `http://127.0.0.1:4400` or `https://scratch-1.th.smoo.ai`. */
  readonly origins: () => readonly string[];
}

export interface DoorEnv {
  Bindings: HttpBindings;
  Variables: { origin: string; caller: Caller; credentials: Credentials };
}

/** N1 */
export function checkAddress({ origins }: Listener): MiddlewareHandler<DoorEnv> {
  return async (c, next) => {
    const host = c.req.header("host")?.toLowerCase() ?? "";
    const site = origins().find((origin) => new URL(origin).host === host);
    if (site === undefined) {
      throw new SmoothError("FORBIDDEN_ORIGIN", `nothing is served as ${host || "(no Host header)"}`, {
        details: { host },
      });
    }
    const origin = c.req.header("origin");
    if (origin !== undefined && origin !== site) {
      throw new SmoothError("FORBIDDEN_ORIGIN", `${origin} may not call ${site}`, { details: { origin } });
    }
    c.set("origin", site);
    await next();
  };
}

/** N1 for requests without Origin: another site, even a neighbouring slug, reads nothing with this site's cookie. */
export const refuseOtherSites: MiddlewareHandler<DoorEnv> = async (c, next) => {
  const site = c.req.header("sec-fetch-site") ?? "none";
  if (site !== "same-origin" && site !== "none") {
    throw new SmoothError("FORBIDDEN_ORIGIN", `a ${site} page may not call ${c.get("origin")}`, { details: { site } });
  }
  await next();
};

/** N2, N3 */
export function admitCaller(
  { via }: Listener,
  { authenticate, rateLimit }: { readonly authenticate: Authenticate; readonly rateLimit: RateLimit },
): MiddlewareHandler<DoorEnv> {
  return async (c, next) => {
    const credentials = {
      bearer: bearerOf(c),
      session: getCookie(c, sessionCookie(c.get("origin")).name) ?? null,
      via,
    };
    const caller = authenticate(credentials);
    spend(rateLimit, caller);
    if (caller === null) {
      throw new SmoothError(
        "UNAUTHENTICATED",
        "no valid token or session came with the request; open a fresh sign-in link",
      );
    }
    c.set("credentials", credentials);
    c.set("caller", caller);
    await next();
  };
}

export function spend(rateLimit: RateLimit, caller: Caller | null): void {
  const waitMs = rateLimit.take(caller ? `${caller.via}:${caller.name}` : "nobody");
  if (waitMs === 0) return;
  throw new SmoothError("RATE_LIMITED", `too many requests; try again in ${waitMs} ms`, {
    details: { retryAfterMs: waitMs },
  });
}

const bearerOf = (c: Context): string | null => /^Bearer (.+)$/i.exec(c.req.header("authorization") ?? "")?.[1] ?? null;

/** `__Host-` needs Secure; browsers take Secure cookies over plain http only from *.localhost. */
export function sessionCookie(origin: string): { readonly name: string; readonly secure: boolean } {
  const { protocol, hostname } = new URL(origin);
  const secure = protocol === "https:" || hostname.endsWith(".localhost");
  return { name: secure ? "__Host-smooth" : "smooth", secure };
}

/** E1: the one translation of an error into HTTP. */
export function answerError(thrown: unknown, log: Log): Response {
  const error = toSmoothError(thrown);
  if (error.code === "INTERNAL")
    log.error("gateway.failed", { error: String((error.cause as Error)?.stack ?? error.cause) });
  if (error.code === "POLICY_DENIED") log.warn("gateway.denied", { message: error.message });
  const headers = new Headers({ "cache-control": "no-store" });
  const { retryAfterMs, allow } = error.details;
  if (typeof retryAfterMs === "number") headers.set("retry-after", String(Math.ceil(retryAfterMs / 1_000)));
  if (typeof allow === "string") headers.set("allow", allow);
  if (error.code === "UNAUTHENTICATED") headers.set("www-authenticate", "Bearer");
  return Response.json({ error }, { status: ERRORS[error.code].http as ContentfulStatusCode, headers });
}

export const only =
  (allow: string) =>
  (c: Context): never => {
    throw new SmoothError("METHOD_NOT_ALLOWED", `${c.req.path} takes ${allow}, not ${c.req.method}`, {
      details: { allow },
    });
  };
