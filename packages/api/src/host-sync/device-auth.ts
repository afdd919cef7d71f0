import { isDuplicate } from "@smooth/db/client";
import { SmoothError } from "@smooth/protocol/errors";
import { decodeJwt, importJWK, jwtVerify } from "jose";
import { z } from "zod";
import type { ApiDeps } from "../context.ts";
import type { HostRow } from "../rows.ts";

/** Which host calls (host-sync H3).
 *  A1. Only a JWS by the enrolled device key counts: for this dashboard, at most 60 s long, not from the future, never seen before.
 *  A2. Unknown host, bad signature, replay and old token get one and the same answer; only a revoked host with a good signature learns that. */

const MAX_LIFE_S = 60;
const SKEW_S = 30;

const Claims = z.object({
  iss: z.string().max(100),
  jti: z.string().min(8).max(100),
  iat: z.int(),
  exp: z.int(),
});

export async function authenticateHost(request: Request, deps: ApiDeps): Promise<HostRow> {
  const token = /^Bearer (\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  if (!token || token.length > 4_096) throw refused("no signed request");
  const host = await deps.db.host.findUnique({ where: { id: issuerOf(token) } });
  if (!host) throw refused("unknown host");
  const { jti, exp } = await verify(token, host, deps);
  await spend(deps, { hostId: host.id, jti, expiresAtMs: (exp + SKEW_S) * 1_000 });
  if (host.revokedAtMs !== null) {
    throw new SmoothError("POLICY_DENIED", "this host was revoked; pair it again with a new code");
  }
  return host;
}

function issuerOf(token: string): string {
  try {
    return z.string().max(100).parse(decodeJwt(token).iss);
  } catch (cause) {
    throw refused("unreadable", cause);
  }
}

async function verify(
  token: string,
  { id, publicKeyX }: HostRow,
  { clock, origin }: ApiDeps,
): Promise<z.infer<typeof Claims>> {
  const key = await importJWK({ kty: "OKP", crv: "Ed25519", x: publicKeyX }, "EdDSA");
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: ["EdDSA"],
      issuer: id,
      audience: origin,
      currentDate: new Date(clock.now()),
      clockTolerance: SKEW_S,
      maxTokenAge: MAX_LIFE_S, // also refuses an `iat` in the future
    });
    const claims = Claims.parse(payload);
    if (claims.exp - claims.iat <= MAX_LIFE_S) return claims;
  } catch (cause) {
    throw refused("signature or claims", cause);
  }
  throw refused("lives too long");
}

async function spend(
  { db, clock }: ApiDeps,
  spent: { hostId: string; jti: string; expiresAtMs: number },
): Promise<void> {
  await db.spentToken.deleteMany({ where: { expiresAtMs: { lt: clock.now() } } });
  try {
    await db.spentToken.create({ data: spent });
  } catch (error) {
    if (isDuplicate(error)) throw refused("replayed");
    throw error;
  }
}

/** `why` is for the log of whoever catches it, never for the answer. */
const refused = (why: string, cause: unknown = why): SmoothError =>
  new SmoothError("UNAUTHENTICATED", "this request is not signed by an enrolled host", { cause });
