import "server-only";
import { type Bus, memoryBus, sharedBus } from "@smooth/api/bus";
import type { HostSyncDeps } from "@smooth/api/host-sync";
import { memoryRateLimits } from "@smooth/api/rate-limit";
import { openDb } from "@smooth/db/client";
import { openPostgres } from "@smooth/platform/node/postgres";
import { systemClock, systemIds } from "@smooth/platform/node/system";
import type { Log, LogFields } from "@smooth/platform/ports";
import { env } from "./env.ts";

/** What the dashboard runs on, once per process: bundlers give each route its own copy of a module. */

const KEY = Symbol.for("smooth.web.deps");
const world = globalThis as { [KEY]?: Promise<HostSyncDeps> };

export const deps = (): Promise<HostSyncDeps> => (world[KEY] ??= open());

async function open(): Promise<HostSyncDeps> {
  const { DATABASE_URL, DASHBOARD_KEY, AUTH_URL, RENDEZVOUS_DOMAIN, RENDEZVOUS_CONNECT_URL, RENDEZVOUS_PUBLIC_URL } =
    env();
  return {
    db: await openDb(DATABASE_URL),
    clock: systemClock,
    ids: systemIds,
    log: lineLog,
    bus: busOf(DATABASE_URL),
    rateLimits: memoryRateLimits(systemClock),
    signingKey: DASHBOARD_KEY,
    origin: new URL(AUTH_URL).origin,
    rendezvous: { baseDomain: RENDEZVOUS_DOMAIN, connectUrl: RENDEZVOUS_CONNECT_URL, publicUrl: RENDEZVOUS_PUBLIC_URL },
  };
}

/** PGlite lives in this process alone. */
const busOf = (url: string): Bus =>
  url.startsWith("pglite:") ? memoryBus() : sharedBus(openPostgres(url, { maxConnections: 2 }), lineLog);

const at =
  (level: keyof Log) =>
  (event: string, fields: LogFields = {}) =>
    void process.stderr.write(`${JSON.stringify({ atMs: systemClock.now(), level, event, ...fields })}\n`);
const lineLog: Log = { debug: () => undefined, info: at("info"), warn: at("warn"), error: at("error") };
