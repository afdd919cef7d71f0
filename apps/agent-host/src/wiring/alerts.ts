import { readFile } from "node:fs/promises";
import type { DeliverAlert } from "@smooth/engine/alerts/deliver";
import { SmoothError } from "@smooth/protocol/errors";
import { z } from "zod";

/** Tells people's own systems about alerts of workflows: webhooks, by the names that alert policies use.
 *  A1. Only a destination that the owner wrote into `alerts.json` of the host's home is told, and only redacted words.
 *  A2. One try; what went wrong is thrown, and stands in the run's log as the alert's reaction. */

const AlertsFile = z.strictObject({ destinations: z.record(z.string(), z.strictObject({ url: z.url() })) });

const TIMEOUT_MS = 10_000;

interface Delivery {
  /** Read anew for every alert, so that an edit counts at once. */
  readonly file: string;
  readonly redact: (text: string) => string;
}

export const deliverBy =
  ({ file, redact }: Delivery): DeliverAlert =>
  async (alert, destination) => {
    const known = (await destinationsIn(file))[destination];
    if (!known)
      throw new SmoothError("CONFIG_INVALID", `${file} names no destination ${JSON.stringify(destination)}`, {
        details: { destination },
      }); // A1
    const answer = await fetch(known.url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: redact(JSON.stringify({ destination, ...alert })),
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!answer.ok) throw new SmoothError("TOOL_FAILED", `${destination} answered ${answer.status}`);
  };

async function destinationsIn(file: string): Promise<z.infer<typeof AlertsFile>["destinations"]> {
  const text = await readFile(file, "utf8").catch(() => null);
  if (text === null) return {};
  try {
    return AlertsFile.parse(JSON.parse(text)).destinations;
  } catch (cause) {
    throw new SmoothError("CONFIG_INVALID", `${file} is not {"destinations":{"name":{"url":"https://…"}}}`, { cause });
  }
}
