/** Who calls the Gateway.
 *  A1. Without a configuration only programs of this machine may call, and may do everything; a web page may not, nor one whose name
 *      was bent to this machine.
 *  A2. A token that is unknown, a JWT that is not signed for us and not valid now, a proxy's request without a user: nobody.
 *  A3. Behind a trusted proxy a web page is of an origin that is named, and a header that says who calls is there once.
 *  A4. A proxy is known by its secret or its address; only on loopback may it have neither.
 *  A5. Who came with a JWT is known no longer than the JWT is valid; two tokens without a user are two users. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { BlockList, isIP, isIPv6 } from "node:net";
import { SmoothError } from "@smooth/protocol/errors";
import { jwtVerify, type JWTPayload } from "jose";
import { z } from "zod";
import { isThisMachine, LOOPBACK } from "../hosting/door.ts";
import { credentialOf } from "../hosting/http.ts";

const TokenGrant = z.strictObject({
  role: z.string(),
  scopes: z.array(z.string()),
  userId: z.string().optional(),
});
export type GatewayTokenGrant = z.output<typeof TokenGrant>;

const fallback = { defaultRole: z.string().optional(), defaultScopes: z.array(z.string()).optional() };
export const AuthConfig = z.discriminatedUnion("mode", [
  z.strictObject({ mode: z.literal("token"), tokens: z.record(z.string().min(1), TokenGrant) }),
  z.strictObject({
    mode: z.literal("jwt"),
    issuer: z.string().min(1),
    audience: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]),
    /** HS256. */
    secret: z.string().min(1),
    scopesClaim: z.string().default("scope"),
    roleClaim: z.string().default("role"),
    userClaim: z.string().default("sub"),
    clockSkewSeconds: z.number().nonnegative().default(0),
    ...fallback,
  }),
  z.strictObject({
    mode: z.literal("trusted-proxy"),
    /** The headers with user, scopes and role, in this order. */
    trustedHeaders: z.array(z.string()).length(3).default(["x-user-id", "x-user-scopes", "x-user-role"]),
    /** Web pages that may call; without it none. */
    allowedOrigins: z.array(z.string()).default([]),
    /** A header that only the proxy can send. */
    proxySecret: z.strictObject({ header: z.string().min(1), value: z.string().min(1) }).optional(),
    /** The IP addresses that the proxy connects from. */
    proxyAddresses: z
      .array(z.string().refine((address) => isIP(address) !== 0, "an IP address"))
      .min(1)
      .optional(),
    ...fallback,
  }),
]);
export type GatewayAuthConfig = z.input<typeof AuthConfig>;

export type Auth = z.output<typeof AuthConfig> | undefined;

/** Throws CONFIG_INVALID, also for an address where the door would be open. */
export function parseAuth(config: GatewayAuthConfig | undefined, host: string): Auth {
  const parsed = AuthConfig.optional().safeParse(config);
  if (!parsed.success)
    throw new SmoothError("CONFIG_INVALID", `auth of the gateway:\n${z.prettifyError(parsed.error)}`);
  const auth = parsed.data;
  if (LOOPBACK.has(host)) return auth;
  if (auth === undefined) throw new SmoothError("CONFIG_INVALID", `a gateway on ${host} needs auth`);
  if (auth.mode === "trusted-proxy" && !auth.proxySecret && !auth.proxyAddresses)
    throw new SmoothError(
      "CONFIG_INVALID",
      `a gateway on ${host} behind a trusted proxy needs \`proxySecret\` or \`proxyAddresses\`: anybody could name himself`,
    ); // A4
  return auth;
}

export interface Caller {
  readonly userId: string;
  readonly role: string;
  readonly scopes: readonly string[];
  /** Absent: until he goes. */
  readonly expiresAtMs?: number;
}

/** What a request says of itself, before anybody believes it. */
export interface Knock {
  readonly headers: Headers;
  /** Names of headers that came more than once. */
  readonly repeated: ReadonlySet<string>;
  readonly address: string;
}

export function knockOf({ headers, headersDistinct, socket }: IncomingMessage): Knock {
  const single = Object.entries(headers).flatMap(([name, value]) =>
    typeof value === "string" ? [[name, value] as const] : [],
  );
  const repeated = Object.entries(headersDistinct).flatMap(([name, values = []]) => (values.length > 1 ? [name] : []));
  return {
    headers: new Headers(Object.fromEntries(single)),
    repeated: new Set(repeated),
    address: socket.remoteAddress ?? "",
  };
}

/** A1, A3. Whether a request from there is listened to at all, whoever calls. */
export function isSiteAllowed(auth: Auth, { headers }: Knock): boolean {
  const origin = headers.get("origin");
  if (auth === undefined) return origin === null && isThisMachine(headers.get("host"));
  return auth.mode !== "trusted-proxy" || origin === null || auth.allowedOrigins.includes(origin);
}

const OWNER: Caller = { userId: "local", role: "admin", scopes: ["*"] };

interface Presented {
  /** Counts before the one in a header. */
  readonly token?: string | undefined;
  readonly nowMs: number;
}

/** Null: nobody we know. */
export async function authenticate(auth: Auth, knock: Knock, { token, nowMs }: Presented): Promise<Caller | null> {
  if (!isSiteAllowed(auth, knock)) return null;
  if (auth === undefined) return OWNER;
  if (auth.mode === "trusted-proxy") return ofProxy(auth, knock);
  const given = [token, credentialOf(knock.headers)].find((one) => one);
  if (given === undefined) return null;
  return auth.mode === "token" ? ofToken(auth.tokens, given) : ofJwt(auth, given, nowMs);
}

type Mode<M> = Extract<z.output<typeof AuthConfig>, { mode: M }>;

/** A2. Every token is compared, so that the time tells nothing. */
function ofToken(tokens: Mode<"token">["tokens"], given: string): Caller | null {
  const hash = sha256(given);
  const [found] = Object.entries(tokens).filter(([token]) => timingSafeEqual(sha256(token), hash));
  if (!found) return null;
  const { role, scopes, userId = `token:${hash.toString("hex").slice(0, 8)}` } = found[1];
  return { userId, role, scopes };
}

const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();

async function ofJwt(auth: Mode<"jwt">, token: string, nowMs: number): Promise<Caller | null> {
  const { issuer, audience, clockSkewSeconds, defaultRole = "", defaultScopes = [] } = auth;
  try {
    const { payload } = await jwtVerify(token, new TextEncoder().encode(auth.secret), {
      algorithms: ["HS256"],
      issuer,
      audience: typeof audience === "string" ? audience : [...audience],
      clockTolerance: clockSkewSeconds,
      currentDate: new Date(nowMs),
      requiredClaims: ["exp"],
    });
    const userId = text(payload[auth.userClaim]);
    return userId === null
      ? null
      : {
          userId,
          role: text(payload[auth.roleClaim]) ?? defaultRole,
          scopes: scopesOf(payload, auth) ?? defaultScopes,
          expiresAtMs: ((payload.exp ?? 0) + clockSkewSeconds) * 1_000, // A5
        };
  } catch {
    return null; // A2
  }
}

const text = (claim: unknown): string | null => (typeof claim === "string" && claim !== "" ? claim : null);

/** An array, or words with spaces or commas between them. */
function scopesOf(payload: JWTPayload, { scopesClaim }: Mode<"jwt">): readonly string[] | null {
  const claim = payload[scopesClaim];
  if (Array.isArray(claim)) return claim.filter((scope) => typeof scope === "string");
  return typeof claim === "string" ? words(claim) : null;
}

const words = (line: string): readonly string[] => line.split(/[\s,]+/).filter((word) => word !== "");

function ofProxy(auth: Mode<"trusted-proxy">, { headers, repeated, address }: Knock): Caller | null {
  const [user = "", scopes = "", role = ""] = auth.trustedHeaders;
  const { proxySecret: secret, proxyAddresses, defaultRole = "", defaultScopes = [] } = auth;
  const said = [user, scopes, role, ...(secret ? [secret.header] : [])];
  if (said.some((name) => repeated.has(name.toLowerCase()))) return null; // A3
  if (secret && !timingSafeEqual(sha256(headers.get(secret.header) ?? ""), sha256(secret.value))) return null; // A4
  if (proxyAddresses && !isOneOf(proxyAddresses, address)) return null; // A4
  const userId = text(headers.get(user));
  if (userId === null) return null;
  const given = headers.get(scopes);
  return {
    userId,
    role: text(headers.get(role)) ?? defaultRole,
    scopes: given === null ? defaultScopes : allOrSome(words(given)),
  };
}

/** A3: `*` beside others is what somebody added to the header. */
const allOrSome = (scopes: readonly string[]): readonly string[] =>
  scopes.length > 1 ? scopes.filter((scope) => scope !== "*") : scopes;

/** However the address is written. */
function isOneOf(addresses: readonly string[], address: string): boolean {
  const list = new BlockList();
  for (const one of addresses) list.addAddress(one, familyOf(one));
  return isIP(address) !== 0 && list.check(address, familyOf(address));
}

const familyOf = (address: string): "ipv4" | "ipv6" => (isIPv6(address) ? "ipv6" : "ipv4");
