import type { SmithersEvent } from "@smooth/workflow/smithers-events";
import { createParser } from "eventsource-parser";

export interface Told {
  readonly seq: number;
  readonly event: SmithersEvent;
}

/** What an event stream tells, until it ends or `enough` says so; then the connection is cut. */
export async function readEvents(
  url: string,
  init: RequestInit,
  enough: (told: Told) => boolean = () => false,
): Promise<Told[]> {
  const cut = new AbortController();
  const response = await fetch(url, { ...init, signal: cut.signal });
  if (!response.ok || !response.body) throw new Error(`${response.status} ${await response.text()}`);
  const told: Told[] = [];
  let isEnough = false;
  const parser = createParser({
    onEvent: ({ id, event, data }) => {
      if (event !== "smithers" || isEnough) return;
      const one = { seq: Number(id), event: JSON.parse(data) as SmithersEvent };
      told.push(one);
      isEnough = enough(one);
    },
  });
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    parser.feed(text);
    if (isEnough) break;
  }
  cut.abort();
  return told;
}

export const until =
  (type: SmithersEvent["type"]) =>
  ({ event }: Told): boolean =>
    event.type === type;
