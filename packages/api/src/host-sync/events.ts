import { SmoothError } from "@smooth/protocol/errors";
import type { EventsRequest } from "@smooth/protocol/host-sync";
import type { z } from "zod";
import { audit } from "../audit.ts";
import { topics } from "../bus.ts";
import type { ApiDeps } from "../context.ts";
import type { HostRow } from "../rows.ts";
import { storeRecords } from "./records.ts";

/** Facts coming up from a host (host-sync H1).
 *  E1. Records and the host's new `lastSeq` are one transaction under the host's row lock: batches of one host never interleave.
 *  E2. A seq already stored is ignored; a gap stores nothing and names the seq that is expected. */

type Records = z.output<typeof EventsRequest>["records"];

export async function storeEvents(deps: ApiDeps, { id, orgId }: HostRow, records: Records): Promise<number> {
  const { db, bus, clock } = deps;
  const nowMs = clock.now();
  const { ackedSeq, fresh } = await db.$transaction(async (tx) => {
    const host = await tx.host.update({ where: { id }, data: { lastSeenAtMs: nowMs } }); // E1: locks
    if (host.revokedAtMs !== null) throw new SmoothError("POLICY_DENIED", "this host was revoked");
    const fresh = records.filter(({ seq }) => seq > host.lastSeq);
    refuseGap(fresh, host.lastSeq + 1);
    const ackedSeq = host.lastSeq + fresh.length;
    const foreign = await storeRecords(
      tx,
      host,
      fresh.map(({ record }) => record),
    );
    await tx.host.update({ where: { id }, data: { lastSeq: ackedSeq } });
    if (foreign > 0) {
      const fact = { orgId, atMs: nowMs, actor: id, action: "denied", subject: "host.events" };
      await audit(tx, { ...fact, details: { foreign, throughSeq: ackedSeq } });
    }
    return { ackedSeq, fresh };
  });
  const runIds = new Set(fresh.flatMap(({ record }) => (record.kind === "run.event" ? [record.event.runId] : [])));
  for (const runId of runIds) bus.publish(topics.run(orgId, runId));
  if (fresh.length > 0) bus.publish(topics.org(orgId));
  return ackedSeq;
}

/** E2 */
function refuseGap(fresh: Records, expectedSeq: number): void {
  const wrong = fresh.find(({ seq }, index) => seq !== expectedSeq + index);
  if (!wrong) return;
  throw new SmoothError("CONFLICT", `expected record ${expectedSeq}, but ${wrong.seq} is out of line`, {
    details: { expectedSeq },
  });
}
