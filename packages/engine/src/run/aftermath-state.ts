/** What is still to be done after recorded results. Folded from the log, so a resumed run knows exactly what its predecessor owed. */
import { stateKey } from "../graph/identity.ts";
import type { RunEventBody } from "./events.ts";
import type { Keyed } from "./late-map.ts";

type DueEvent = Extract<RunEventBody, { type: "aftermath.due" }>;
type AftermathEvent = Extract<
  RunEventBody,
  { type: "aftermath.due" | "score.recorded" | "score.failed" | "memory.remembered" | "memory.failed" }
>;

/** A result, the scorers that have not answered, and whether it is still to be remembered. */
export interface Due {
  readonly result: DueEvent;
  readonly scorers: ReadonlySet<string>;
  readonly remembering: boolean;
}
export type Aftermaths = Keyed<Due>;

export function applyAftermath(all: Aftermaths, event: AftermathEvent): void {
  const key = stateKey(event);
  if (event.type === "aftermath.due") {
    const remembering = event.remember !== null || event.threadId !== null;
    return settle(all, key, { result: event, scorers: new Set(event.scorers), remembering });
  }
  const due = all.get(key);
  if (!due || (event.type === "memory.failed" && event.during === "recall")) return;
  if (event.type === "memory.remembered" || event.type === "memory.failed")
    return settle(all, key, { ...due, remembering: false });
  settle(all, key, { ...due, scorers: new Set([...due.scorers].filter((name) => name !== event.scorer)) });
}

function settle(all: Aftermaths, key: string, due: Due): void {
  if (due.scorers.size > 0 || due.remembering) all.set(key, due);
  else all.delete(key);
}
