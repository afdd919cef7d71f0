import { type SmoothError, toSmoothError } from "@smooth/protocol/errors";
import type { RunEvent } from "@smooth/protocol/run-events";
import type { RunId } from "@smooth/protocol/ids";
import { emptyRunView, foldRun, type RunView } from "@smooth/protocol/run-view";
import { useEffect, useState } from "react";
import { host } from "./host.ts";

/** One run, followed from its first event, folded by the reducer every face uses.
 *  L1. Events are folded once per frame, so that a burst costs one render. */
export function useRun(runId: RunId): { readonly view: RunView; readonly error: SmoothError | null } {
  const [view, setView] = useState<RunView>(() => emptyRunView(runId));
  const [error, setError] = useState<SmoothError | null>(null);
  useEffect(() => {
    const gone = new AbortController();
    const waiting: RunEvent[] = [];
    let frame = 0;
    const fold = (): void => {
      frame = 0;
      const events = waiting.splice(0);
      setView((seen) => foldRun(seen, events));
    };
    const follow = async (): Promise<void> => {
      for await (const event of host.stream("streamRunEvents", { runId, afterSeq: 0 }, gone.signal)) {
        waiting.push(event);
        frame ||= requestAnimationFrame(fold); // L1
      }
    };
    follow().catch((thrown: unknown) => {
      if (!gone.signal.aborted) setError(toSmoothError(thrown));
    });
    return () => {
      gone.abort(new DOMException("the page moved on", "AbortError"));
      cancelAnimationFrame(frame);
    };
  }, [runId]);
  return { view, error };
}
