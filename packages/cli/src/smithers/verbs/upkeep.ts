import { connect } from "../../connect.ts";
import { say, show, type JsonFlag } from "../../output.ts";
import { stopSignal } from "../../program.ts";
import { duration, whole } from "./arguments.ts";

/** What the host does by itself, done now and told. */

interface SuperviseFlags extends JsonFlag {
  readonly dryRun?: boolean;
  readonly interval: string;
  readonly once?: boolean;
}

/** Until it is stopped. */
export async function supervise(
  _: readonly string[],
  { dryRun = false, interval, once, json }: SuperviseFlags,
): Promise<void> {
  const client = connect();
  const everyMs = duration(interval, "--interval");
  for (;;) {
    const round = await client.call("superviseRuns", { dryRun });
    const lines = Object.entries(round).flatMap(([what, runs]) =>
      runs.map((run) => `${dryRun && what === "resumed" ? "would resume" : WORDS[what as keyof typeof WORDS]} ${run}`),
    );
    if (lines.length === 0) say("nothing to take up");
    show(round, { json: json === true }, () => lines);
    if (once === true || dryRun) return;
    await pauseFor(everyMs);
  }
}

const WORDS = { resumed: "resumed", failed: "could not resume", waiting: "tries later", givenUp: "gave up" } as const;

/** Rejects when the person stops it. */
function pauseFor(ms: number): Promise<void> {
  const signal = stopSignal();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  });
}

interface GcFlags extends JsonFlag {
  readonly dryRun?: boolean;
  readonly olderThan?: string;
  readonly keep?: string;
  readonly maxBytes?: string;
}

export async function gc(_: readonly string[], flags: GcFlags): Promise<void> {
  const { dryRun = false, olderThan, keep, maxBytes, json } = flags;
  const done = await connect().call("collectGarbage", {
    dryRun,
    ...(olderThan !== undefined && { olderThanMs: duration(olderThan, "--older-than") }),
    ...(keep !== undefined && { keepNewest: whole(keep, "--keep") }),
    ...(maxBytes !== undefined && { maxBytes: whole(maxBytes, "--max-bytes") }),
  });
  const word = dryRun ? "would forget" : "forgot";
  if (done.remove.length === 0) say("nothing to forget");
  show(done, { json: json === true }, ({ remove, needed, folders, payloads }) => [
    ...remove.map(({ runId, because }) => `${word} ${runId} (${because})`),
    ...folders.map(({ runId, path }) => `${word} ${path}, where ${runId} worked`),
    ...(payloads.count > 0 ? [`${word} ${payloads.count} payloads, ${payloads.bytes} bytes`] : []),
    ...needed.map(({ runId, by }) => `keeps ${runId}: ${by} needs it`),
  ]);
}
