import type { Tx } from "@smooth/db/client";
import type { Role } from "@smooth/protocol/gateway";
import { audit } from "./audit.ts";
import type { ApiDeps } from "./context.ts";
import { hashOf, newSecret } from "./keys.ts";

/** How people get in without a mail server or an account elsewhere.
 *  S1. A sign-in token is kept as a hash, is spent by the first redemption, and ends by itself.
 *  S2. Whatever is wrong with a token, the answer is the same.
 *  S3. A token only signs in a user who exists; it never creates one. */

type Deps = Pick<ApiDeps, "db" | "clock" | "ids">;

export async function mintSignInToken(
  { db, clock }: Pick<ApiDeps, "db" | "clock">,
  { email, ttlMs }: { email: string; ttlMs: number },
): Promise<string> {
  const secret = newSecret();
  const expires = new Date(clock.now() + ttlMs);
  await db.verificationToken.create({ data: { identifier: normal(email), token: hashOf(secret), expires } });
  return secret;
}

export type Redemption = { readonly kind: "signed-in"; readonly userId: string } | { readonly kind: "refused" };

export async function redeemSignInToken(
  { db, clock }: Pick<ApiDeps, "db" | "clock">,
  token: string,
): Promise<Redemption> {
  return db.$transaction(async (tx) => {
    const row = await tx.verificationToken.findUnique({ where: { token: hashOf(token) } });
    if (!row) return REFUSED;
    const { count } = await tx.verificationToken.deleteMany({ where: { token: row.token } }); // S1: one of two racers deletes it
    if (count === 0 || row.expires.getTime() <= clock.now()) return REFUSED;
    const user = await tx.user.findUnique({ where: { email: row.identifier } });
    return user ? { kind: "signed-in", userId: user.id } : REFUSED; // S3
  });
}

const REFUSED = { kind: "refused" } as const;

/** False after the person was removed or signed out everywhere. */
export async function sessionStillValid(
  { db }: Pick<ApiDeps, "db">,
  { userId, issuedAtMs }: { userId: string; issuedAtMs: number },
): Promise<boolean> {
  const user = await db.user.findUnique({ where: { id: userId } });
  return user !== null && issuedAtMs >= user.sessionsSinceMs;
}

export interface FirstOwner {
  readonly userId: string;
  readonly orgId: string;
  readonly email: string;
}

/** The oldest owner of the oldest org; on an empty database, makes them. Safe to call at every start. */
export async function ensureFirstOwner(
  deps: Deps,
  { email, orgName }: { email: string; orgName: string },
): Promise<FirstOwner> {
  return deps.db.$transaction(async (tx) => {
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(7243002)`; // two processes starting together make one owner
    const first = await tx.membership.findFirst({
      where: { role: "owner" },
      include: { user: true },
      orderBy: [{ createdAtMs: "asc" }, { orgId: "asc" }],
    });
    if (first) return { userId: first.userId, orgId: first.orgId, email: first.user.email };
    const orgId = deps.ids.next("org");
    const createdAtMs = deps.clock.now();
    await tx.org.create({ data: { id: orgId, slug: slugOf(orgName), name: orgName, createdAtMs } });
    const userId = await userIdOf(tx, deps, email);
    await tx.membership.create({ data: { orgId, userId, role: "owner", createdAtMs } });
    await audit(tx, { orgId, atMs: createdAtMs, actor: normal(email), action: "org.create", subject: orgId });
    return { userId, orgId, email: normal(email) };
  });
}

const slugOf = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "") || "org";

/** Makes the person a member; somebody who is one already keeps their role. */
export async function addMember(
  deps: Deps,
  { orgId, email, role, by }: { orgId: string; email: string; role: Role; by: string },
): Promise<{ userId: string }> {
  return deps.db.$transaction(async (tx) => {
    const userId = await userIdOf(tx, deps, email);
    const createdAtMs = deps.clock.now();
    await tx.membership.createMany({ data: [{ orgId, userId, role, createdAtMs }], skipDuplicates: true });
    await audit(tx, { orgId, atMs: createdAtMs, actor: by, action: "member.add", subject: userId, details: { role } });
    return { userId };
  });
}

async function userIdOf(tx: Tx, { ids }: Deps, email: string): Promise<string> {
  const user = await tx.user.upsert({
    where: { email: normal(email) },
    create: { id: ids.next("user"), email: normal(email) },
    update: {},
  });
  return user.id;
}

const normal = (email: string): string => email.trim().toLowerCase();
