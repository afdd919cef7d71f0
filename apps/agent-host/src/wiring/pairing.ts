import { existsSync, readFileSync } from "node:fs";
import { writePrivate } from "@smooth/cli/host-file";
import type { Clock, Ids, Log } from "@smooth/platform/ports";
import { SmoothError, toSmoothError } from "@smooth/protocol/errors";
import { PublicJwk } from "@smooth/protocol/host-sync";
import { z } from "zod";
import { type Dashboard, type Enrolment, openDashboard, pair } from "./dashboard.ts";
import type { Home } from "./home.ts";

/** Which dashboard this host belongs to.
 *  E1. An enrolment is kept per dashboard URL; a pairing code makes a new one when there is none, or when the dashboard does
 *      not know the old one any more.
 *  E2. A new enrolment starts from nothing on the other side, so everything is reported again (`onEnrolled`).
 *  E3. Without a dashboard, or while it does not answer, the host works alone. */

const Kept = z.object({
  url: z.string(),
  hostId: z.string(),
  org: z.object({ id: z.string(), slug: z.string(), name: z.string() }),
  dashboardKey: PublicJwk,
});

interface PairingDeps {
  readonly home: Home;
  readonly url: string | undefined;
  readonly code: string | undefined;
  readonly hostName: string | undefined;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly lastN: () => number;
  /** E2 */
  readonly onEnrolled: () => void;
}

export async function openPairing(deps: PairingDeps): Promise<Dashboard | null> {
  const { home, url, code, log, clock, ids } = deps;
  if (url === undefined) return null; // E3
  if (code !== undefined) await answering(url, clock);
  const file = home.path("enrolment.json");
  const kept = readKept(file, url);
  const open = (enrolment: Enrolment): Dashboard => openDashboard(enrolment, { deviceKey: home.deviceKey, clock, ids });
  if (kept && (code === undefined || (await isKnown(open(kept))))) return open(kept);
  if (code === undefined) return null;
  try {
    const enrolment = await pair(url, {
      code,
      deviceKey: home.deviceKey,
      hostName: deps.hostName,
      lastN: deps.lastN(),
    });
    writePrivate(file, JSON.stringify(enrolment));
    deps.onEnrolled();
    return open(enrolment);
  } catch (error) {
    log.warn("pairing.failed", { url, code: toSmoothError(error).code, message: toSmoothError(error).message });
    return kept ? open(kept) : null;
  }
}

const PATIENCE_MS = 30_000;

/** A house that starts brings up the dashboard beside the host: whoever holds a code waits for it a while. */
async function answering(url: string, clock: Clock): Promise<void> {
  const untilMs = clock.now() + PATIENCE_MS;
  while (clock.now() < untilMs) {
    const answer = await fetch(new URL("/healthz", url)).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.ok) return;
    await clock.sleep(50);
  }
}

function readKept(file: string, url: string): Enrolment | null {
  if (!existsSync(file)) return null;
  const parsed = Kept.safeParse(JSON.parse(readFileSync(file, "utf8")));
  return parsed.success && parsed.data.url === url ? parsed.data : null;
}

/** E1. Only a clear "never heard of you" counts; a dashboard that is down says nothing. */
async function isKnown(dashboard: Dashboard): Promise<boolean> {
  try {
    await dashboard.ping();
    return true;
  } catch (error) {
    return !(error instanceof SmoothError && (error.code === "UNAUTHENTICATED" || error.code === "NOT_FOUND"));
  }
}
