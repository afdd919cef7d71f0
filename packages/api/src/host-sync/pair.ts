import type { Tx } from "@smooth/db/client";
import { SmoothError } from "@smooth/protocol/errors";
import type { PairRequest, PairResponse } from "@smooth/protocol/host-sync";
import { HostId } from "@smooth/protocol/ids";
import type { z } from "zod";
import { audit } from "../audit.ts";
import { topics } from "../bus.ts";
import type { ApiDeps } from "../context.ts";
import { hashOf, publicPartOf, thumbprintOf } from "../keys.ts";

/** A host joins an org.
 *  P1. The code is spent by the first request that shows it, and only before it expires.
 *  P2. The same device key in the same org is the same host: pairing again lifts a revocation and keeps its history.
 *  P3. Where the counters stand is the host's word: it knows what it still has to send and what it has taken. */

type Request = z.output<typeof PairRequest>;

export async function pairHost(deps: ApiDeps, { code, ...request }: Request): Promise<PairResponse> {
  const { db, bus, signingKey } = deps;
  const thumbprint = await thumbprintOf(request.publicKey);
  const { hostId, org } = await db.$transaction(async (tx) => {
    const { orgId, createdBy } = await spendCode(tx, code, deps.clock.now());
    const id = await enrol(tx, deps, { ...request, orgId, thumbprint, pairedBy: createdBy });
    return { hostId: id, org: await tx.org.findUniqueOrThrow({ where: { id: orgId } }) };
  });
  bus.publish(topics.host(hostId));
  bus.publish(topics.org(org.id));
  const { id, slug, name } = org;
  return { hostId: HostId.parse(hostId), org: { id, slug, name }, dashboardKey: publicPartOf(signingKey) };
}

/** P1 */
async function spendCode(tx: Tx, code: string, nowMs: number): Promise<{ orgId: string; createdBy: string }> {
  const codeHash = hashOf(code.trim().toLowerCase());
  const { count } = await tx.pairingCode.updateMany({
    where: { codeHash, usedAtMs: null, expiresAtMs: { gt: nowMs } },
    data: { usedAtMs: nowMs },
  });
  if (count === 1) return tx.pairingCode.findUniqueOrThrow({ where: { codeHash } });
  throw new SmoothError(
    "UNAUTHENTICATED",
    "this pairing code is unknown, used or expired; create a new one in the dashboard",
  );
}

type Enrolment = Omit<Request, "code"> & { orgId: string; thumbprint: string; pairedBy: string };

async function enrol(tx: Tx, { ids, clock }: ApiDeps, enrolment: Enrolment): Promise<string> {
  const { orgId, thumbprint, pairedBy, publicKey, name, platform, nextSeq, lastN = 0 } = enrolment;
  const before = await tx.host.findUnique({ where: { orgId_thumbprint: { orgId, thumbprint } } });
  const id = before?.id ?? ids.next("host");
  const nowMs = clock.now();
  const said = {
    name,
    platform,
    pairedBy,
    pairedAtMs: nowMs,
    lastSeenAtMs: nowMs,
    revokedAtMs: null,
    lastSeq: nextSeq === undefined ? (before?.lastSeq ?? 0) : nextSeq - 1, // P3
    lastN: Math.max(lastN, before?.lastN ?? 0),
  };
  await tx.host.upsert({
    where: { orgId_thumbprint: { orgId, thumbprint } },
    create: { ...said, id, orgId, thumbprint, publicKeyX: publicKey.x },
    update: said,
  });
  const fact = { orgId, atMs: nowMs, actor: pairedBy, action: before ? "host.pair-again" : "host.pair", subject: id };
  await audit(tx, { ...fact, details: { name, platform, thumbprint } });
  return id;
}
