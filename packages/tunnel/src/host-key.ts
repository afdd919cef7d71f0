import type { HostPublicJwk, TicketClaims } from "@smooth/protocol/thp";
import { base64url, calculateJwkThumbprint } from "jose";
import { type Bytes, encodeText } from "./codec.ts";

/** The host's Ed25519 device key: enrolled once, proved on every dial.
 *  P1. The proof covers the edge's nonce, slug, host and ticket: it fits one dial of one ticket only. */

/** What is kept on disk: the private JWK. */
export interface HostKey extends HostPublicJwk {
  readonly d: string;
}

const ED25519 = "Ed25519";
const HMAC = { name: "HMAC", hash: "SHA-256" };

export async function createHostKey(): Promise<HostKey> {
  const pair = (await crypto.subtle.generateKey(ED25519, true, ["sign", "verify"])) as CryptoKeyPair;
  const { x = "", d = "" } = (await crypto.subtle.exportKey("jwk", pair.privateKey)) as JsonWebKey;
  return { kty: "OKP", crv: ED25519, x, d };
}

export function publicHalf({ kty, crv, x }: HostPublicJwk): HostPublicJwk {
  return { kty, crv, x };
}

/** What the SaaS stores at enrolment and writes into `cnf.jkt`. */
export function thumbprint(key: HostPublicJwk): Promise<string> {
  return calculateJwkThumbprint(publicHalf(key));
}

type Proven = Pick<TicketClaims, "slug" | "sub" | "jti">;

/** P1. */
function statement(nonce: string, { slug, sub, jti }: Proven): Bytes {
  return encodeText(["thp.1", nonce, slug, sub, jti].join("|"));
}

export async function prove(key: HostKey, nonce: string, claims: Proven): Promise<string> {
  const signer = await crypto.subtle.importKey("jwk", { ...key }, ED25519, false, ["sign"]);
  return base64url.encode(new Uint8Array(await crypto.subtle.sign(ED25519, signer, statement(nonce, claims))));
}

export interface Proof {
  readonly key: HostPublicJwk;
  readonly sig: string;
  readonly nonce: string;
}

/** True only for the key the ticket names, over this nonce and this ticket. Never rejects. */
export async function isProof({ key, sig, nonce }: Proof, claims: TicketClaims): Promise<boolean> {
  try {
    if ((await thumbprint(key)) !== claims.cnf.jkt) return false;
    const verifier = await crypto.subtle.importKey("jwk", publicHalf(key), ED25519, false, ["verify"]);
    return await crypto.subtle.verify(ED25519, verifier, bytesOf(sig), statement(nonce, claims));
  } catch {
    return false; // an unusable key or signature proves nothing
  }
}

export async function resumeMac(resumeKey: string, nonce: string): Promise<string> {
  const key = await crypto.subtle.importKey("raw", bytesOf(resumeKey), HMAC, false, ["sign"]);
  const mac = await crypto.subtle.sign("HMAC", key, encodeText(`thp.1 resume|${nonce}`));
  return base64url.encode(new Uint8Array(mac));
}

export async function isResumeMac(mac: string, resumeKey: string, nonce: string): Promise<boolean> {
  const key = await crypto.subtle.importKey("raw", bytesOf(resumeKey), HMAC, false, ["verify"]);
  try {
    return await crypto.subtle.verify("HMAC", key, bytesOf(mac), encodeText(`thp.1 resume|${nonce}`));
  } catch {
    return false; // not base64url
  }
}

function bytesOf(text: string): Bytes {
  return new Uint8Array(base64url.decode(text));
}
