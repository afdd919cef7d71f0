import type { Tx } from "@smooth/db/client";
import { SmoothError } from "@smooth/protocol/errors";
import type { HostStatus } from "@smooth/protocol/gateway";
import type { MemberContext } from "./context.ts";
import { hostStatusOf, type HostRow } from "./rows.ts";

/** Hosts as members see them. */

export interface HostView {
  readonly hostId: string;
  readonly name: string;
  readonly platform: string;
  readonly pairedAtMs: number;
  readonly presence: HostPresence;
  /** What the host last said about itself; only for those who may administer it. */
  readonly status: HostStatus | null;
  readonly sandbox: HostStatus["sandbox"] | null;
  readonly tunnel: HostStatus["tunnel"];
}

export type HostPresence =
  | { readonly kind: "online" }
  | { readonly kind: "offline"; readonly sinceMs: number | null }
  | { readonly kind: "revoked"; readonly atMs: number };

export function presenceOf(host: HostRow, nowMs: number): HostPresence {
  if (host.revokedAtMs !== null) return { kind: "revoked", atMs: host.revokedAtMs };
  return host.onlineUntilMs > nowMs ? { kind: "online" } : { kind: "offline", sinceMs: host.lastSeenAtMs };
}

export function hostViewOf(row: HostRow, { role, clock }: MemberContext): HostView {
  const { id: hostId, name, platform, pairedAtMs } = row;
  const status = hostStatusOf(row);
  const presence = presenceOf(row, clock.now());
  return {
    hostId,
    name,
    platform,
    pairedAtMs,
    presence,
    status: role === "owner" ? status : null,
    sandbox: status?.sandbox ?? null,
    tunnel: presence.kind === "online" && status ? status.tunnel : { kind: "off" },
  };
}

/** NOT_FOUND is the same for an unknown host and for another org's. */
export async function findHost(tx: Tx, orgId: string, hostId: string): Promise<HostRow> {
  const host = await tx.host.findFirst({ where: { id: hostId, orgId } });
  if (!host) throw new SmoothError("NOT_FOUND", `no host ${hostId}`, { details: { hostId } });
  return host;
}

/** The one named, else the org's only usable host. */
export async function chooseHost({ db, org }: MemberContext, hostId: string | undefined): Promise<HostRow> {
  if (hostId !== undefined) return findHost(db, org.id, hostId);
  const [host, another] = await db.host.findMany({ where: { orgId: org.id, revokedAtMs: null }, take: 2 });
  if (!host) throw new SmoothError("HOST_OFFLINE", "no host is paired with this org; pair one first");
  if (another) throw new SmoothError("INVALID_INPUT", "this org has several hosts; say which one");
  return host;
}
