/** Metrics of runs, from their events. */
import { Counter, Registry } from "prom-client";
import type { SmithersEvent } from "@smooth/workflow/smithers-events";

export interface SmithersObservabilityService {
  emit(event: SmithersEvent): void | Promise<void>;
}

export interface SmithersMetrics extends SmithersObservabilityService {
  emit(event: SmithersEvent): void;
  /** In Prometheus' text format. */
  exposition(): Promise<string>;
}

/** Which event counts as what. Prometheus takes no dots: `smithers.runs.total` is `smithers_runs_total`. */
const COUNTED = {
  RunStarted: ["smithers_runs_total", "Runs begun"],
  RunFinished: ["smithers_runs_finished", "Runs that came to their end"],
  RunFailed: ["smithers_runs_failed", "Runs that failed"],
  RunCancelled: ["smithers_runs_cancelled", "Runs that were cancelled"],
  NodeStarted: ["smithers_nodes_started", "Attempts begun"],
  NodeFinished: ["smithers_nodes_finished", "Nodes finished"],
  NodeFailed: ["smithers_nodes_failed", "Attempts that failed"],
  ApprovalRequested: ["smithers_approvals_requested", "Approvals asked for"],
  ApprovalGranted: ["smithers_approvals_granted", "Approvals granted"],
  ApprovalDenied: ["smithers_approvals_denied", "Approvals denied"],
  ToolCallFinished: ["smithers_tool_calls_total", "Calls of tools with side effects, and of built-in tools"],
} as const satisfies Partial<Record<SmithersEvent["type"], readonly [name: string, help: string]>>;

export const prometheusContentType: string = Registry.PROMETHEUS_CONTENT_TYPE;

/** Counters of their own, from zero. */
export function createSmithersMetrics(): SmithersMetrics {
  const registry = new Registry();
  const registers = [registry];
  const counters = new Map<string, Counter>(
    Object.entries(COUNTED).map(([type, [name, help]]) => [type, new Counter({ name, help, registers })]),
  );
  const tokens = new Counter({
    name: "smithers_tokens_total",
    help: "Tokens that agents reported",
    labelNames: ["model", "agent", "kind"] as const,
    registers,
  });
  return {
    emit(event) {
      counters.get(event.type)?.inc();
      if (event.type !== "TokenUsageReported") return;
      const { model, agent } = event;
      tokens.inc({ model, agent, kind: "input" }, event.inputTokens);
      tokens.inc({ model, agent, kind: "output" }, event.outputTokens);
    },
    exposition: () => registry.metrics(),
  };
}

const ofProcess = createSmithersMetrics();

/** Counts an event among those of this process: `runWorkflow(flow, { onProgress: trackSmithersEvent })`. */
export const trackSmithersEvent = (event: SmithersEvent): void => ofProcess.emit(event);

/** What `trackSmithersEvent` has counted. */
export const renderPrometheusMetrics = (): Promise<string> => ofProcess.exposition();
