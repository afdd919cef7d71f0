import type { Context, Hono } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { SmoothError } from "@smooth/protocol/errors";
import { z } from "zod";
import { SESSION_PATH } from "../wire.ts";
import { limitBody, readJson } from "./body.ts";
import { only, refuseOtherSites, sessionCookie, spend, type DoorEnv } from "./door.ts";
import type { RateLimit } from "./rate-limit.ts";
import type { Sessions, SignedIn } from "./sessions.ts";

/** From a secret in the fragment to a cookie.
 *  I1. Looking at the link (a preview bot, a HEAD, a GET) uses nothing up; only the page's own POST does.
 *  I2. The cookie is HttpOnly and SameSite=Strict, and `__Host-` with Secure wherever a browser accepts it. */

const LinkBody = z.strictObject({ secret: z.string().min(20).max(200) });
const AssertionBody = z.strictObject({ assertion: z.string().min(20).max(4_000) });

export function signIn(
  app: Hono<DoorEnv>,
  { sessions, rateLimit }: { readonly sessions: Sessions; readonly rateLimit: RateLimit },
): void {
  app.get(SESSION_PATH, (c) => c.html(LANDING, 200, { "cache-control": "no-store", "x-robots-tag": "noindex" }));
  app.get(`${SESSION_PATH}/landing.js`, (c) => c.body(LANDING_SCRIPT, 200, { "content-type": "text/javascript" }));

  app.use(`${SESSION_PATH}/*`, refuseOtherSites, limitBody(16_384));
  app.post(SESSION_PATH, async (c) => {
    spend(rateLimit, null);
    return welcome(c, sessions.redeemLink(parse(LinkBody, await readJson(c)).secret));
  });
  app.post(`${SESSION_PATH}/assertion`, async (c) => {
    spend(rateLimit, null);
    return welcome(c, await sessions.redeemAssertion(parse(AssertionBody, await readJson(c)).assertion));
  });
  app.delete(SESSION_PATH, (c) => {
    const { name, secure } = sessionCookie(c.get("origin"));
    const session = sessions.find(getCookie(c, name) ?? "");
    if (session) sessions.revoke({ id: session.id });
    deleteCookie(c, name, { path: "/", secure });
    return c.body(null, 204);
  });
  app.all(SESSION_PATH, only("GET, POST, DELETE"));
  app.all(`${SESSION_PATH}/assertion`, only("POST"));
}

/** I2 */
function welcome(c: Context<DoorEnv>, { session, secret }: SignedIn): Response {
  const { name, secure } = sessionCookie(c.get("origin"));
  setCookie(c, name, secret, {
    path: "/",
    secure,
    httpOnly: true,
    sameSite: "Strict",
    expires: new Date(session.expiresAtMs),
  });
  c.header("cache-control", "no-store");
  return c.json({ name: session.name, role: session.role, expiresAtMs: session.expiresAtMs });
}

function parse<T>(type: z.ZodType<T>, body: unknown): T {
  const parsed = type.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new SmoothError("INVALID_INPUT", `${issue?.path.join(".") || "the body"}: ${issue?.message}`);
}

const LANDING = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>Signing in</title>
<style>body { font: 1rem/1.5 system-ui; max-width: 28rem; margin: 20vh auto; padding: 0 1rem }</style>
</head>
<body><main><p id="say" role="status">Signing in…</p></main><script src="${SESSION_PATH}/landing.js"></script></body>
</html>
`;

/** I1. The fragment is wiped before anything else can read it. */
const LANDING_SCRIPT = `const fragment = new URLSearchParams(location.hash.slice(1));
history.replaceState(null, "", location.pathname);
const assertion = fragment.get("assertion");
const [path, body] = assertion
  ? ["${SESSION_PATH}/assertion", { assertion }]
  : ["${SESSION_PATH}", { secret: fragment.get("link") ?? "" }];
const failed = async (answer) => {
  if (answer.status === 400) return "This link is incomplete. Copy the whole link, or ask for a new one.";
  return (await answer.json()).error.message;
};
fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) })
  .then((answer) => (answer.ok ? location.replace("/") : failed(answer)))
  .catch(() => "The host does not answer. Try again in a moment.")
  .then((text) => text && (document.getElementById("say").textContent = text));
`;
