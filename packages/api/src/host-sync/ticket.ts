import type { Tx } from "@smooth/db/client";
import { SmoothError } from "@smooth/protocol/errors";
import type { TicketResponse } from "@smooth/protocol/host-sync";
import { Slug, HostId } from "@smooth/protocol/ids";
import { TICKET_MAX_SECONDS } from "@smooth/protocol/thp";
import { mintTicket } from "@smooth/tunnel/ticket";
import { audit } from "../audit.ts";
import type { ApiDeps } from "../context.ts";
import { newReadableSecret, newSecret } from "../keys.ts";
import type { HostRow } from "../rows.ts";

/** Permission to serve one slug at the rendezvous, for at most 120 s.
 *  T1. A host gets tickets for its own slugs only; a first request claims a scratch slug, under the host's row lock.
 *  T2. The ticket is bound to the host's device key (`cnf`): stolen, it is worth nothing. */

const SCRATCH_TRIES = 5;

export async function issueTicket(deps: ApiDeps, host: HostRow, wanted: string | undefined): Promise<TicketResponse> {
  const { signingKey, rendezvous, origin, clock } = deps;
  const slug = await deps.db.$transaction((tx) => slugOf(tx, deps, { host, wanted }));
  const iat = Math.floor(clock.now() / 1_000);
  const exp = iat + TICKET_MAX_SECONDS;
  const ticket = await mintTicket(
    {
      iss: origin,
      aud: rendezvous.baseDomain,
      sub: HostId.parse(host.id),
      org: host.orgId,
      slug: Slug.parse(slug),
      jti: newSecret(16),
      iat,
      exp,
      cnf: { jkt: host.thumbprint }, // T2
    },
    signingKey,
  );
  const publicUrl = rendezvous.publicUrl.replace("{slug}", slug);
  return { ticket, slug, connectUrl: rendezvous.connectUrl, publicUrl, expiresAtMs: exp * 1_000 };
}

/** T1 */
async function slugOf(
  tx: Tx,
  { clock }: ApiDeps,
  { host, wanted }: { host: HostRow; wanted: string | undefined },
): Promise<string> {
  const claimedAtMs = clock.now();
  await tx.host.update({ where: { id: host.id }, data: { lastSeenAtMs: claimedAtMs } });
  const own = await tx.slug.findMany({ where: { hostId: host.id }, orderBy: { claimedAtMs: "asc" } });
  if (wanted !== undefined && !own.some(({ name }) => name === wanted)) {
    throw new SmoothError("NOT_FOUND", `this host has no slug ${wanted}`, { details: { slug: wanted } });
  }
  const kept = wanted ?? own[0]?.name;
  if (kept !== undefined) return kept;
  for (let tries = 0; tries < SCRATCH_TRIES; tries += 1) {
    const name = `scratch-${newReadableSecret(8)}`;
    const row = { name, orgId: host.orgId, hostId: host.id, claimedAtMs };
    const { count } = await tx.slug.createMany({ data: [row], skipDuplicates: true });
    if (count === 0) continue;
    await audit(tx, { orgId: host.orgId, atMs: claimedAtMs, actor: host.id, action: "slug.claim", subject: name });
    return name;
  }
  throw new SmoothError("CONFLICT", "no free scratch slug was found; try again");
}
