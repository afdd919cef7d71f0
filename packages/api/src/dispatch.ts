import type { Tx } from "@smooth/db/client";
import { SmoothError } from "@smooth/protocol/errors";
import type { RunId } from "@smooth/protocol/ids";
import { commandHost, type CommandView } from "./commands.ts";
import type { MemberContext } from "./context.ts";
import { chooseHost, presenceOf } from "./hosts.ts";
import { blockersOf, findPearl } from "./pearls.ts";
import { pearlOf } from "./rows.ts";

/** From a pearl to a run on a host.
 *  D1. A pearl has at most one run that is not over; the host's row lock makes a double click one run.
 *  D2. An offline host is no error: the run is there, queued, and says what it waits for. */

export interface Dispatched {
  readonly runId: RunId;
  readonly command: CommandView;
}

export async function dispatchPearl(
  ctx: MemberContext,
  { pearlId, hostId, expiresInMs }: { pearlId: string; hostId?: string | undefined; expiresInMs: number | null },
): Promise<Dispatched> {
  const { db, org, ids, clock } = ctx;
  const row = await findPearl(db, org.id, pearlId);
  const host = await chooseHost(ctx, row.hostId ?? hostId);
  if (hostId !== undefined && hostId !== host.id) {
    throw new SmoothError("CONFLICT", `${pearlId} lives on the host ${host.name}; dispatch it there`);
  }
  const pearl = pearlOf(row);
  if (pearl.status === "closed") throw new SmoothError("CONFLICT", `${pearlId} is closed; reopen it first`);
  const blockedBy = await blockersOf(db, org.id, pearlId);
  if (blockedBy.length > 0) {
    throw new SmoothError("CONFLICT", `${pearlId} is blocked by ${blockedBy.join(", ")}`, { details: { blockedBy } });
  }

  const runId = ids.next("run") as RunId;
  const nowMs = clock.now();
  const reason = presenceOf(host, nowMs).kind === "online" ? null : `waiting for ${host.name}, which is offline`;
  const command = await commandHost(ctx, {
    hostId: host.id,
    body: { kind: "dispatch", runId, pearl },
    expiresAtMs: expiresInMs === null ? null : nowMs + expiresInMs,
    also: async (tx) => {
      await refuseSecondRun(tx, org.id, pearlId);
      await tx.pearl.update({ where: { orgId_id: { orgId: org.id, id: pearlId } }, data: { hostId: host.id } });
      const stamps = { startedAtMs: nowMs, updatedAtMs: nowMs };
      const run = { orgId: org.id, id: runId, hostId: host.id, pearlId, title: pearl.title, workflow: "operator" };
      await tx.run.create({ data: { ...run, ...stamps, status: "queued", reason } });
    },
  });
  return { runId, command };
}

/** D1 */
async function refuseSecondRun(tx: Tx, orgId: string, pearlId: string): Promise<void> {
  const open = await tx.run.findFirst({
    where: { orgId, pearlId, status: { in: ["queued", "running", "paused", "waiting"] } },
  });
  if (!open) return;
  throw new SmoothError("CONFLICT", `${pearlId} already has the run ${open.id}, which is ${open.status}`, {
    details: { runId: open.id },
  });
}
