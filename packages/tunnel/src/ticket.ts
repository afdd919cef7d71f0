import { TicketClaims } from "@smooth/protocol/thp";
import { type CryptoKey, importJWK, type JWK, jwtVerify, SignJWT } from "jose";
import type { z } from "zod";

/** Connect tickets: minted by the SaaS, verified by the rendezvous before the object of a slug is touched.
 *  K1. Only EdDSA and only our `typ`; `aud` is the rendezvous' own base domain.
 *  K2. Verification is a value: a bad ticket is `refused`, whatever its bytes. Spending it once is the object's part. */

const TYPE = "th-connect+jwt";

export type TicketVerdict =
  | { readonly kind: "valid"; readonly claims: TicketClaims }
  | { readonly kind: "refused"; readonly reason: string };

/** Throws when the claims break the schema or the key is no Ed25519 private JWK: both are bugs of the minter. */
export async function mintTicket(claims: z.input<typeof TicketClaims>, key: JWK): Promise<string> {
  return new SignJWT({ ...TicketClaims.parse(claims) })
    .setProtectedHeader({ alg: "EdDSA", typ: TYPE })
    .sign(await importJWK(key, "EdDSA"));
}

export interface TicketExpectations {
  readonly key: JWK;
  readonly baseDomain: string;
  readonly nowMs: number;
}

export async function verifyTicket(
  ticket: string,
  { key, baseDomain, nowMs }: TicketExpectations,
): Promise<TicketVerdict> {
  try {
    const { payload } = await jwtVerify(ticket, await publicKey(key), {
      algorithms: ["EdDSA"],
      typ: TYPE,
      audience: baseDomain,
      currentDate: new Date(nowMs),
      clockTolerance: 5,
    });
    const claims = TicketClaims.safeParse(payload);
    return claims.success ? { kind: "valid", claims: claims.data } : { kind: "refused", reason: "claims" };
  } catch (error) {
    return { kind: "refused", reason: error instanceof Error ? error.name : "unreadable" }; // K2
  }
}

/** Only the public members count, whatever JWK was configured. */
async function publicKey({ kty, crv, x }: JWK): Promise<CryptoKey | Uint8Array> {
  return importJWK({ kty, crv, x } as JWK, "EdDSA");
}
