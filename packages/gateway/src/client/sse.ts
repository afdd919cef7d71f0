import type { EventSourceMessage } from "eventsource-parser/stream";
import type { Clock } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { ErrorBody, fromErrorBody } from "../wire.ts";

interface Patience {
  readonly sleep: Clock["sleep"];
  readonly silenceMs: number;
  readonly signal: AbortSignal;
}

/** The data of a stream's events, until its `end`. Anything else that ends it is an error: a cut line is HOST_OFFLINE. */
export async function* readSse(answer: Response, patience: Patience): AsyncGenerator<unknown> {
  const { EventSourceParserStream } = await import("eventsource-parser/stream"); // it brings 8 ms of streams along
  const messages = answer.body?.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  const reader = messages?.getReader();
  try {
    for (;;) {
      const { event, data } = await nextMessage(reader, patience);
      if (event === "end") return;
      if (event === "error") throw fromErrorBody(ErrorBody.parse(JSON.parse(data)));
      if (event === undefined) yield JSON.parse(data);
    }
  } finally {
    await reader?.cancel().catch(() => {
      // The line is gone already.
    });
  }
}

async function nextMessage(
  reader: ReadableStreamDefaultReader<EventSourceMessage> | undefined,
  { sleep, silenceMs, signal }: Patience,
): Promise<EventSourceMessage> {
  const timer = new AbortController();
  const silence = sleep(silenceMs, AbortSignal.any([timer.signal, signal])).then(() => null);
  try {
    const chunk = await Promise.race([reader?.read(), silence]);
    if (chunk?.value !== undefined) return chunk.value;
  } catch (cause) {
    signal.throwIfAborted();
    throw new SmoothError("HOST_OFFLINE", "the line to the host was cut", { cause });
  } finally {
    timer.abort();
    silence.catch(() => {
      // Aborted just above.
    });
  }
  throw new SmoothError("HOST_OFFLINE", "the line to the host ended too early");
}
