/** What the run of a subflow used counts for the node it is the body of, so that the budgets around that node hold.
 *  U2. It is told while the child is at work; what a crash kept from being told is told when the node begins again. */
import { addUsage, type TokenUsage, type UsageTotals } from "../task/usage.ts";
import type { RunStore } from "../store/port.ts";
import type { StoredEvent } from "./events.ts";
import { lineage } from "./lineage.ts";

export type OnUsage = (usage: TokenUsage, ofRun: string) => void;

/** Hears the events of a child and of all it continues as; those of its own children reach it through its own log. */
export function usageListener(childRunId: string, onUsage: OnUsage): (event: StoredEvent) => void {
  const ofChild = new Set([childRunId]);
  return (event) => {
    if (!ofChild.has(event.runId)) return;
    if (event.type === "run.status" && event.nextRunId !== undefined) ofChild.add(event.nextRunId);
    if (event.type === "node.usage") onUsage(usageIn(event), event.runId);
  };
}

const usageIn = (usage: Extract<StoredEvent, { type: "node.usage" }>): TokenUsage => {
  const { model, inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, reasoningTokens, costUsd } = usage;
  return { model, inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, reasoningTokens, costUsd };
};

/** U2. `told`: what is counted of a run already. */
export async function tellMissed(
  { store, childRunId, onUsage }: { readonly store: RunStore; readonly childRunId: string; readonly onUsage: OnUsage },
  told: (runId: string) => UsageTotals | undefined,
): Promise<void> {
  for (const { runId } of await lineage(store, childRunId)) {
    const events = await store.events(runId, 0);
    const used = events.reduce<UsageTotals | undefined>(
      (sum, event) => (event.type === "node.usage" ? addUsage(event, sum) : sum),
      undefined,
    );
    const missed = used && beyond(used, told(runId));
    if (missed) onUsage(missed, runId);
  }
}

function beyond(used: UsageTotals, told: UsageTotals | undefined): TokenUsage | null {
  const more = (name: Exclude<keyof UsageTotals, "costUsd">): number => Math.max(0, used[name] - (told?.[name] ?? 0));
  const costUsd = used.costUsd === null ? null : Math.max(0, used.costUsd - (told?.costUsd ?? 0));
  const rest = {
    inputTokens: more("inputTokens"),
    outputTokens: more("outputTokens"),
    cacheReadTokens: more("cacheReadTokens"),
    cacheWriteTokens: more("cacheWriteTokens"),
    reasoningTokens: more("reasoningTokens"),
  };
  const isNothing = Object.values(rest).every((tokens) => tokens === 0) && !costUsd;
  return isNothing ? null : { ...rest, model: null, costUsd };
}
