/** Who calls the Gateway.
 *  A1. Without a configuration only programs of this machine may call, and may do everything; a web page may not.
 *  A2. A token that is unknown, a JWT that is not signed for us and not valid now, a proxy's request without a user: nobody. */
import { createHash, timingSafeEqual } from "node:crypto";
import { SmoothError } from "@smooth/protocol/errors";
import { jwtVerify, type JWTPayload } from "jose";
import { z } from "zod";

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
    allowedOrigins: z.array(z.string()).optional(),
    ...fallback,
  }),
]);
export type GatewayAuthConfig = z.input<typeof AuthConfig>;

/** Throws CONFIG_INVALID. */
export function parseAuth(config: GatewayAuthConfig): z.output<typeof AuthConfig> {
  const parsed = AuthConfig.safeParse(config);
  if (parsed.success) return parsed.data;
  throw new SmoothError("CONFIG_INVALID", `auth of the gateway:\n${z.prettifyError(parsed.error)}`);
}

export interface Caller {
  readonly userId: string;
  readonly role: string;
  readonly scopes: readonly string[];
}

const OWNER: Caller = { userId: "local", role: "admin", scopes: ["*"] };

/** Null: nobody we know. */
export async function authenticate(
  auth: z.output<typeof AuthConfig> | undefined,
  { token, headers }: { readonly token: string | undefined; readonly headers: Headers },
): Promise<Caller | null> {
  if (auth === undefined) return headers.has("origin") ? null : OWNER; // A1
  if (auth.mode === "trusted-proxy") return ofProxy(auth, headers);
  if (token === undefined) return null;
  return auth.mode === "token" ? ofToken(auth.tokens, token) : ofJwt(auth, token);
}

type Mode<M> = Extract<z.output<typeof AuthConfig>, { mode: M }>;

/** A2. Every token is compared, so that the time tells nothing. */
function ofToken(tokens: Mode<"token">["tokens"], given: string): Caller | null {
  const hash = sha256(given);
  const [found] = Object.entries(tokens).filter(([token]) => timingSafeEqual(sha256(token), hash));
  if (!found) return null;
  const { role, scopes, userId = role } = found[1];
  return { userId, role, scopes };
}

const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();

async function ofJwt(auth: Mode<"jwt">, token: string): Promise<Caller | null> {
  const { issuer, audience, clockSkewSeconds, defaultRole = "", defaultScopes = [] } = auth;
  try {
    const { payload } = await jwtVerify(token, new TextEncoder().encode(auth.secret), {
      algorithms: ["HS256"],
      issuer,
      audience: typeof audience === "string" ? audience : [...audience],
      clockTolerance: clockSkewSeconds,
      requiredClaims: ["exp"],
    });
    const userId = text(payload[auth.userClaim]);
    return userId === null
      ? null
      : {
          userId,
          role: text(payload[auth.roleClaim]) ?? defaultRole,
          scopes: scopesOf(payload, auth) ?? defaultScopes,
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

function ofProxy(auth: Mode<"trusted-proxy">, headers: Headers): Caller | null {
  const [user = "", scopes = "", role = ""] = auth.trustedHeaders;
  const origin = headers.get("origin");
  if (auth.allowedOrigins && origin !== null && !auth.allowedOrigins.includes(origin)) return null;
  const userId = text(headers.get(user));
  if (userId === null) return null;
  const given = headers.get(scopes);
  return {
    userId,
    role: text(headers.get(role)) ?? auth.defaultRole ?? "",
    scopes: given === null ? (auth.defaultScopes ?? []) : words(given),
  };
}
