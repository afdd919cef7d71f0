import { signalRun } from "@smooth/engine/control";
import { answerHuman } from "@smooth/engine/human";
import type { EngineDeps } from "@smooth/engine/run";
import { why } from "@smooth/engine/why";
import type { Handlers } from "@smooth/protocol/gateway";

export interface WaitingDeps extends Pick<EngineDeps, "store" | "clock"> {
  /** Looks at once which suspended runs may go on. */
  readonly wake: () => Promise<void>;
}

/** What people do about runs that wait: look why, send a signal, answer a question. It works on the engine's rows alone; the
 *  supervisor continues the run. */
export function waitingHandlers({ store, clock, wake }: WaitingDeps) {
  return {
    explainRun: async ({ runId }) => {
      const { status, reasons } = await why(store, runId);
      return { runId, status, reasons: [...reasons] };
    },
    signalRun: async ({ correlationId, ...signal }, { name: by }) => {
      const correlation = correlationId === undefined ? {} : { correlationId };
      const { waiters, waitedFor } = await signalRun(store, { ...signal, ...correlation, by, atMs: clock.now() });
      await wake();
      return { ok: true, waiters: [...waiters], waitedFor: [...waitedFor] } as const;
    },
    answerQuestion: async ({ requestId, value }, { name: by }) => {
      await answerHuman(store, { requestId, value, by, atMs: clock.now() });
      await wake();
      return { ok: true } as const;
    },
  } satisfies Partial<Handlers>;
}
