import { audit } from "./audit.ts";
import type { ApiDeps } from "./context.ts";
import { hashOf, newReadableSecret } from "./keys.ts";

/** Pairing codes: how a host gets into an org.
 *  P1. Shown once, kept as a hash, used once, valid for minutes. */

const TTL_MS = 15 * 60_000;

export interface PairingCode {
  readonly code: string;
  readonly expiresAtMs: number;
}

export async function createPairingCode(
  { db, clock }: Pick<ApiDeps, "db" | "clock">,
  { orgId, by, ttlMs = TTL_MS }: { orgId: string; by: string; ttlMs?: number },
): Promise<PairingCode> {
  const code = [0, 1, 2].map(() => newReadableSecret(5)).join("-");
  const expiresAtMs = clock.now() + ttlMs;
  await db.$transaction(async (tx) => {
    await tx.pairingCode.create({ data: { codeHash: hashOf(code), orgId, createdBy: by, expiresAtMs } });
    await audit(tx, { orgId, atMs: clock.now(), actor: by, action: "host.pairing-code", subject: orgId });
  });
  return { code, expiresAtMs };
}
