import type { HostCommand } from "@smooth/protocol/host-sync";
import { pulses, topics } from "../bus.ts";
import { expireCommands, hostCommandOf } from "../commands.ts";
import type { ApiDeps } from "../context.ts";

/** Commands going down to a host (host-sync H2), and with the open stream the knowledge that the host is there.
 *  S1. Every open command after `afterN`, in order of `n`, each once per stream; what was not acknowledged comes again on the next stream.
 *  S2. A newer stream of the same host, or its revocation, ends this one.
 *  S3. `null` says "still here" every 15 s. */

const POLL_MS = 5_000;
const KEEP_ALIVE_MS = 15_000;
const ONLINE_MS = 30_000;
const REFRESH_MS = 10_000;

export async function* commandStream(
  deps: ApiDeps,
  { hostId, afterN }: { hostId: string; afterN: number },
  signal: AbortSignal,
): AsyncGenerator<HostCommand | null> {
  const { bus, clock } = deps;
  const streamId = deps.ids.next("stream");
  await open(deps, { hostId, streamId });
  let n = afterN;
  let saidAtMs = clock.now();
  let seenAtMs = clock.now();
  try {
    for await (const _ of pulses(topics.host(hostId), { bus, clock, pollMs: POLL_MS, signal })) {
      await expireCommands(deps, { hostId });
      const refresh = clock.now() - seenAtMs >= REFRESH_MS;
      if (!(await stillMine(deps, { hostId, streamId, refresh }))) return; // S2
      if (refresh) seenAtMs = clock.now();
      for (const command of await openCommands(deps, hostId, n)) {
        yield command;
        n = command.n; // S1
        saidAtMs = clock.now();
      }
      if (clock.now() - saidAtMs >= KEEP_ALIVE_MS) {
        yield null; // S3
        saidAtMs = clock.now();
      }
    }
  } finally {
    await close(deps, { hostId, streamId });
  }
}

async function openCommands({ db }: ApiDeps, hostId: string, afterN: number): Promise<HostCommand[]> {
  const rows = await db.command.findMany({
    where: { hostId, n: { gt: afterN }, state: { in: ["sent", "delivered"] } },
    orderBy: { n: "asc" },
    take: 100,
  });
  return rows.map(hostCommandOf);
}

interface Stream {
  readonly hostId: string;
  readonly streamId: string;
}

async function open(deps: ApiDeps, { hostId, streamId }: Stream): Promise<void> {
  const data = { streamId, lastSeenAtMs: deps.clock.now(), onlineUntilMs: deps.clock.now() + ONLINE_MS };
  await deps.db.host.updateMany({ where: { id: hostId, revokedAtMs: null }, data });
  await tell(deps, hostId);
}

async function stillMine(
  { db, clock }: ApiDeps,
  { hostId, streamId, refresh }: Stream & { refresh: boolean },
): Promise<boolean> {
  const mine = { id: hostId, streamId, revokedAtMs: null };
  if (!refresh) return (await db.host.count({ where: mine })) === 1;
  const nowMs = clock.now();
  const { count } = await db.host.updateMany({
    where: mine,
    data: { lastSeenAtMs: nowMs, onlineUntilMs: nowMs + ONLINE_MS },
  });
  return count === 1;
}

async function close(deps: ApiDeps, { hostId, streamId }: Stream): Promise<void> {
  const data = { streamId: null, lastSeenAtMs: deps.clock.now(), onlineUntilMs: 0 };
  await deps.db.host.updateMany({ where: { id: hostId, streamId }, data });
  await tell(deps, hostId);
}

/** Wakes an older stream of this host, and whoever looks at the org. */
async function tell({ db, bus }: ApiDeps, hostId: string): Promise<void> {
  const host = await db.host.findUnique({ where: { id: hostId } });
  bus.publish(topics.host(hostId));
  if (host) bus.publish(topics.org(host.orgId));
}
