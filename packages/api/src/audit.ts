import { createHash } from "node:crypto";
import type { Db, Tx } from "@smooth/db/client";

/** What was decided, denied, paired, dispatched, and by whom.
 *  A1. Entries of an org are numbered without gap and sealed into a chain: changing or removing one breaks every later hash.
 *  A2. An entry is written in the transaction of the act it tells; a denial in its own. */

export interface AuditFact {
  readonly orgId: string;
  readonly atMs: number;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly details?: Readonly<Record<string, string | number | boolean | null>>;
}

export async function audit(tx: Tx, { orgId, details = {}, ...fact }: AuditFact): Promise<void> {
  const org = await tx.org.update({ where: { id: orgId }, data: { auditN: { increment: 1 } } });
  const entry = { ...fact, n: org.auditN, details: JSON.stringify(details) };
  const hash = sealOf(org.auditHash, entry);
  await tx.auditEntry.create({ data: { ...entry, orgId, hash } });
  await tx.org.update({ where: { id: orgId }, data: { auditHash: hash } });
}

interface Sealed {
  readonly n: number;
  readonly atMs: number;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly details: string;
}

const sealOf = (before: string, { n, atMs, actor, action, subject, details }: Sealed): string =>
  createHash("sha256")
    .update(JSON.stringify([before, n, atMs, actor, action, subject, details]))
    .digest("hex");

/** The number of the first entry that is missing or was changed; null when the chain holds. */
export async function firstBrokenEntry(db: Db, orgId: string): Promise<number | null> {
  const [org, entries] = await Promise.all([
    db.org.findUniqueOrThrow({ where: { id: orgId } }),
    db.auditEntry.findMany({ where: { orgId }, orderBy: { n: "asc" } }),
  ]);
  let before = "";
  for (const [index, entry] of entries.entries()) {
    if (entry.n !== index + 1 || entry.hash !== sealOf(before, entry)) return index + 1;
    before = entry.hash;
  }
  return entries.length === org.auditN && before === org.auditHash ? null : entries.length + 1;
}
