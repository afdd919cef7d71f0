import type { ReactElement } from "react";
import type { TaskContext } from "@smooth/engine/task";
import { SmoothError } from "@smooth/protocol/errors";
import { Approval, type ApprovalProps } from "../components/approval.ts";
import { host } from "../components/host.ts";
import { knownProps, sequence, task, type AgentLike, type LooseRow, type OutputTarget } from "./parts.ts";
import { runShell } from "./shell.node.ts";

export interface RunbookStep {
  readonly id: string;
  /** Does the step; with a `command`, it is asked to run it. */
  readonly agent?: AgentLike;
  /** Without an agent: run by the shell. */
  readonly command?: string;
  /** `safe` runs at once; `risky` and `critical` ask a person, `critical` with `elevated: true` for a stronger check. */
  readonly risk: "safe" | "risky" | "critical";
  readonly label?: string;
  /** Default `stepOutput`. */
  readonly output?: OutputTarget;
}

export interface RunbookProps {
  /** Default `runbook`. Tasks: `{id}-{step}`; approvals: `{id}-{step}-approval-decision`. */
  readonly id?: string;
  readonly steps: readonly RunbookStep[];
  /** For steps with neither an agent nor a command: they are told their label. */
  readonly defaultAgent?: AgentLike;
  /** Commands record `{ id, command, passed, exitCode, output, summary }`; the schema takes what it knows. */
  readonly stepOutput: OutputTarget;
  readonly approvalRequest?: Partial<ApprovalProps<OutputTarget>["request"]>;
  /** Where decisions are recorded; without it the steps themselves are held back until somebody approves. */
  readonly approvalOutput?: OutputTarget;
  /** `skip` also skips all later steps, and needs `approvalOutput`. Default fail. */
  readonly onDeny?: "fail" | "skip";
  readonly skipIf?: boolean;
}

const onlyKnown = knownProps<RunbookProps>("Runbook", {
  id: true,
  steps: true,
  defaultAgent: true,
  stepOutput: true,
  approvalRequest: true,
  approvalOutput: true,
  onDeny: true,
  skipIf: true,
});

/** Steps in order; the risky ones ask first, and a step that fails stops the rest. */
export function Runbook(props: RunbookProps): ReactElement | null {
  onlyKnown(props);
  const { id = "runbook", steps, approvalOutput, onDeny = "fail" } = props;
  if (props.skipIf) return null;
  if (onDeny === "skip" && approvalOutput === undefined)
    throw new SmoothError("INVALID_INPUT", `<Runbook id="${id}"> with onDeny="skip" needs \`approvalOutput\``);
  return sequence(
    ...steps.flatMap((step, at) => {
      const nodeId = `${id}-${step.id}`;
      const after = steps.slice(Math.max(0, at - 1), at).map((before) => `${id}-${before.id}`);
      const asks = step.risk !== "safe";
      if (!asks || approvalOutput === undefined) return [stepTask({ props, step, nodeId, after, held: asks })];
      const gate = approval({ props, step, nodeId, after, output: approvalOutput, onDeny });
      return [gate, stepTask({ props, step, nodeId, after: [`${nodeId}-approval-decision`], held: false })];
    }),
  );
}

interface Placed {
  readonly props: RunbookProps;
  readonly step: RunbookStep;
  readonly nodeId: string;
  readonly after: readonly string[];
}

const nameOf = ({ label, command, id }: RunbookStep): string => label ?? command ?? id;
const metaOf = ({ risk }: RunbookStep) => ({ risk, ...(risk === "critical" && { elevated: true }) });

function approval(gate: Placed & { readonly output: OutputTarget; readonly onDeny: "fail" | "skip" }): ReactElement {
  const { props, step, nodeId, after, output, onDeny } = gate;
  const { title, summary, metadata } = props.approvalRequest ?? {};
  const told = { command: step.command ?? null, ...metaOf(step), ...metadata };
  const request = { title: title ?? `${step.risk}: ${nameOf(step)}`, summary, metadata: told };
  const id = `${nodeId}-approval-decision`;
  return host(Approval, { key: id, id, output, request, onDeny, dependsOn: after, meta: metaOf(step) });
}

function stepTask({ props, step, nodeId, after, held }: Placed & { readonly held: boolean }): ReactElement {
  const { agent = step.command === undefined ? props.defaultAgent : undefined, command } = step;
  const common = {
    id: nodeId,
    label: nameOf(step),
    output: step.output ?? props.stepOutput,
    dependsOn: after,
    meta: metaOf(step),
    ...(held && { needsApproval: true }),
    noRetry: true,
  };
  if (agent) return task({ ...common, agent, children: command ? `${nameOf(step)}\n\nRun: ${command}` : nameOf(step) });
  if (command === undefined)
    throw new SmoothError("INVALID_INPUT", `step ${nodeId} has no command, no agent, and there is no defaultAgent`);
  return task({ ...common, children: (context) => passing(command, context) });
}

async function passing(command: string, context: TaskContext): Promise<LooseRow> {
  const row = await runShell(command, context);
  if (row.passed) return { ...row };
  throw new SmoothError("TASK_FAILED", `${command}: ${row.summary}\n${row.output.slice(-2_000)}`);
}
