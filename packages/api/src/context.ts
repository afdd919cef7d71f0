import type { Db } from "@smooth/db/client";
import type { Clock, Ids, Log } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import type { Role } from "@smooth/protocol/gateway";
import type { Bus } from "./bus.ts";
import type { DashboardKey } from "./keys.ts";

/** Who asks, in which org, with what in hand.
 *  T1. The org and the role come from the session's user and the membership row of this moment, never from input. */

/** What the whole dashboard runs on; built once by the app. */
export interface ApiDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly bus: Bus;
  /** Signs connect tickets and viewer assertions. */
  readonly signingKey: DashboardKey;
  /** Where people and hosts reach the dashboard, e.g. `http://localhost:3000`. */
  readonly origin: string;
  readonly rendezvous: Rendezvous;
}

export interface Rendezvous {
  /** `th.smoo.ai`: the audience of tickets. */
  readonly baseDomain: string;
  /** Where hosts dial, e.g. `wss://connect.th.smoo.ai/v1/host`. */
  readonly connectUrl: string;
  /** Where viewers go, `{slug}` standing for the slug, e.g. `https://{slug}.th.smoo.ai`. */
  readonly publicUrl: string;
}

export interface User {
  readonly id: string;
  readonly email: string;
  readonly name: string;
}

export interface Org {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
}

export interface ApiContext extends ApiDeps {
  readonly user: User | null;
  readonly org: Org | null;
  readonly role: Role | null;
}

/** A member at work: what procedures with a role see. */
export type MemberContext = ApiContext & { readonly user: User; readonly org: Org; readonly role: Role };

/** What the session cookie says; only the app's own signature vouches for it. */
export interface SessionClaim {
  readonly userId: string;
  readonly issuedAtMs: number;
  /** The org the person last chose; the oldest membership when absent or gone. */
  readonly orgId?: string | undefined;
}

export async function createContext(deps: ApiDeps, session: SessionClaim | null): Promise<ApiContext> {
  const nobody = { ...deps, user: null, org: null, role: null };
  if (session === null) return nobody;
  const row = await deps.db.user.findUnique({
    where: { id: session.userId },
    include: { memberships: { include: { org: true }, orderBy: [{ createdAtMs: "asc" }, { orgId: "asc" }] } },
  });
  if (!row || session.issuedAtMs < row.sessionsSinceMs) return nobody;
  const user = { id: row.id, email: row.email, name: row.name ?? row.email };
  const membership = row.memberships.find(({ orgId }) => orgId === session.orgId) ?? row.memberships[0];
  if (!membership) return { ...nobody, user };
  const { id, slug, name } = membership.org;
  return { ...deps, user, org: { id, slug, name }, role: membership.role };
}

/** Asked again while a stream is open: a removed member stops seeing within one pulse. */
export async function assertStillMember({ db, user, org }: MemberContext): Promise<void> {
  const membership = await db.membership.findUnique({ where: { orgId_userId: { orgId: org.id, userId: user.id } } });
  if (!membership) throw new SmoothError("UNAUTHENTICATED", "you are no longer a member of this org");
}
