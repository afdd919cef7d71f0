import type { Log } from "@smooth/platform/ports";

/** Every frame finds the same faults in a workflow; the log hears of each once. */
export function warnOnce(log: Log, runId: string): (warning: string) => void {
  const warned = new Set<string>();
  return (warning) => {
    if (!warned.has(warning)) log.warn("workflow.warning", { runId, warning });
    warned.add(warning);
  };
}
