import type { ReactElement } from "react";
import type { TaskContext } from "@smooth/engine/task";
import { SmoothError } from "@smooth/protocol/errors";
import {
  knownProps,
  parallel,
  sequence,
  task,
  useRows,
  type AgentLike,
  type LooseRow,
  type OutputTarget,
} from "./parts.ts";
import { runShell } from "./shell.node.ts";

/** A command, or an agent that answers with `passed`. */
export interface CheckConfig {
  readonly id?: string;
  readonly agent?: AgentLike;
  readonly command?: string;
  readonly label?: string;
}

export interface CheckSuiteProps {
  /** Default `checksuite`. Tasks: `{id}-{check}` and `{id}-verdict`. */
  readonly id?: string;
  readonly checks: readonly CheckConfig[] | Readonly<Record<string, CheckConfig>>;
  /** Checks record `{ id, passed, exitCode, output, summary }` here, the verdict `{ id, passed, strategy, total, failed, summary }`;
   *  the schema takes the fields it knows. */
  readonly verdictOutput: OutputTarget;
  /** Default `all-pass`. */
  readonly strategy?: "all-pass" | "majority" | "any-pass";
  readonly maxConcurrency?: number;
  /** Default true: a check that does not pass leaves the verdict to the strategy. False: it fails the run. */
  readonly continueOnFail?: boolean;
  readonly skipIf?: boolean;
}

const onlyKnown = knownProps<CheckSuiteProps>("CheckSuite", {
  id: true,
  checks: true,
  verdictOutput: true,
  strategy: true,
  maxConcurrency: true,
  continueOnFail: true,
  skipIf: true,
});

/** Checks at the same time; the verdict is counted from their rows (K1). */
export function CheckSuite(props: CheckSuiteProps): ReactElement | null {
  onlyKnown(props);
  const { id = "checksuite", verdictOutput, strategy = "all-pass", continueOnFail = true, maxConcurrency } = props;
  const rows = useRows();
  if (props.skipIf) return null;
  const checks = named(props.checks);
  const passed = checks.filter(([name]) => rows.at(verdictOutput, `${id}-${name}`)?.["passed"] === true);
  const failed = checks.filter((check) => !passed.includes(check)).map(([name]) => name);
  const verdict = {
    id,
    passed: PASSES[strategy](passed.length, checks.length),
    strategy,
    total: checks.length,
    failed,
    summary: `${passed.length} of ${checks.length} checks passed${failed.length > 0 ? `; failed: ${failed.join(", ")}` : ""}`,
  };
  const run = checks.map(([name, check]) => ({ id: `${id}-${name}`, check, output: verdictOutput, continueOnFail }));
  return sequence(
    parallel({ ...(maxConcurrency !== undefined && { maxConcurrency }) }, ...run.map(checkTask)),
    task({ id: `${id}-verdict`, output: verdictOutput, children: verdict }),
  );
}

const PASSES = {
  "all-pass": (passed: number, total: number): boolean => passed === total,
  majority: (passed: number, total: number): boolean => passed * 2 > total,
  "any-pass": (passed: number): boolean => passed > 0,
};

function named(checks: CheckSuiteProps["checks"]): (readonly [string, CheckConfig])[] {
  if (!Array.isArray(checks)) return Object.entries(checks as Readonly<Record<string, CheckConfig>>);
  return (checks as readonly CheckConfig[]).map((check, at) => [check.id ?? `check-${at + 1}`, check] as const);
}

interface Check {
  readonly id: string;
  readonly check: CheckConfig;
  readonly output: OutputTarget;
  readonly continueOnFail: boolean;
}

function checkTask({ id, check, output, continueOnFail }: Check): ReactElement {
  const common = { id, label: check.label ?? id, output, continueOnFail, noRetry: true };
  const { agent, command } = check;
  if (agent)
    return task({
      ...common,
      agent,
      children: `Check: ${check.label ?? check.id ?? id}.${command ? `\n${command}` : ""}`,
    });
  if (command === undefined)
    throw new SmoothError("INVALID_INPUT", `check ${id} has neither an agent nor a command`, {
      details: { nodeId: id },
    });
  const children = async (context: TaskContext): Promise<LooseRow> => {
    const row = await runShell(command, context);
    if (!row.passed && !continueOnFail) throw new SmoothError("TASK_FAILED", `${command}: ${row.summary}`);
    return { ...row, id };
  };
  return task({ ...common, children });
}
