import { createHash, randomBytes } from "node:crypto";
import type { PublicJwk } from "@smooth/protocol/host-sync";
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from "jose";

/** The dashboard's Ed25519 key as a private JWK. */
export type DashboardKey = PublicJwk & { readonly d: string };

export async function newDashboardKey(): Promise<DashboardKey> {
  const { privateKey } = await generateKeyPair("EdDSA", { extractable: true });
  const { x = "", d = "" } = await exportJWK(privateKey);
  return { kty: "OKP", crv: "Ed25519", x, d };
}

export const publicPartOf = ({ kty, crv, x }: PublicJwk): PublicJwk => ({ kty, crv, x });

/** RFC 7638. */
export const thumbprintOf = (key: PublicJwk): Promise<string> => calculateJwkThumbprint(publicPartOf(key));

/** Secrets are stored as this. */
export const hashOf = (secret: string): string => createHash("sha256").update(secret).digest("hex");

export const newSecret = (bytes = 32): string => randomBytes(bytes).toString("base64url");

const CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz";

/** `length` characters people can read out: no i, l, o, u. */
export const newReadableSecret = (length: number): string =>
  Array.from(randomBytes(length), (byte) => CROCKFORD.charAt(byte & 31)).join("");
