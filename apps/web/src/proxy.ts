import { type NextFetchEvent, type NextRequest, NextResponse } from "next/server";
import { auth } from "~/auth.ts";

/** Every page needs a session but the ones listed; every page carries a policy that runs only our own scripts. */

const OPEN = /^\/(?:sign-in|api\/auth|healthz)(?:\/|$)/;

export async function proxy(request: NextRequest, event: NextFetchEvent): Promise<Response> {
  const guard = auth((seen) => {
    if (!seen.auth && !OPEN.test(seen.nextUrl.pathname)) return refuse(seen);
    return withPolicy(seen);
  }) as unknown as (request: NextRequest, event: NextFetchEvent) => Promise<Response>;
  return guard(request, event);
}

function refuse(request: NextRequest): Response {
  if (request.nextUrl.pathname.startsWith("/api/")) {
    return Response.json(
      { error: { code: "UNAUTHENTICATED", message: "sign in first", details: {} } },
      { status: 401 },
    );
  }
  return NextResponse.redirect(new URL("/sign-in", process.env["AUTH_URL"] ?? request.nextUrl.origin));
}

function withPolicy(request: NextRequest): Response {
  const nonce = btoa(crypto.randomUUID());
  const policy = [
    "default-src 'self'",
    `script-src 'self' 'nonce-${nonce}' 'strict-dynamic'`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "object-src 'none'",
  ].join("; ");
  const headers = new Headers(request.headers);
  headers.set("content-security-policy", policy);
  headers.set("x-nonce", nonce);
  const response = NextResponse.next({ request: { headers } });
  response.headers.set("content-security-policy", policy);
  response.headers.set("referrer-policy", "no-referrer");
  response.headers.set("x-content-type-options", "nosniff");
  return response;
}

/** Hosts sign their requests themselves; behind this guard Next would cut their bodies at 10 MB. */
export const config = { matcher: ["/((?!_next/static|_next/image|icon.svg|api/host/).*)"] };
