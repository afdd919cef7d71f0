import type { RunStatus } from "@smooth/protocol/run-events";

/** What each filter of the URL asks for: the server fetches it with the page, the browser keeps it fresh. */

const RUNS = {
  all: undefined,
  active: ["queued", "running", "paused", "waiting"],
  failed: ["failed"],
} as const satisfies Record<string, readonly RunStatus[] | undefined>;
export type RunFilter = keyof typeof RUNS;
export const runFilter = (text: string | undefined): RunFilter =>
  text === "active" || text === "failed" ? text : "all";
export function runsInput(show: RunFilter): { status?: RunStatus[] } {
  const status = RUNS[show];
  return status ? { status: [...status] } : {};
}

const PEARLS = { all: {}, ready: { ready: true }, closed: { status: "closed" } } as const;
export type PearlFilter = keyof typeof PEARLS;
export const pearlFilter = (text: string | undefined): PearlFilter =>
  text === "ready" || text === "closed" ? text : "all";
/** `text` are words to look for; empty looks for nothing. */
export const pearlsInput = (show: PearlFilter, text: string) => ({ ...PEARLS[show], ...(text !== "" && { text }) });
/** The few that Home offers. */
export const READY_SOON = { ready: true, limit: 5 };
