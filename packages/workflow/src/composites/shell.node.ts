/** Commands that an author wrote into a workflow (never a model's): run by the shell, under the task's abort.
 *  What a command did is a row, whatever its exit code; not being able to start it is an error. */
import process from "node:process";
import type { TaskContext } from "@smooth/engine/task";
import { SmoothError } from "@smooth/protocol/errors";
import { openNodeWorkspace } from "@smooth/tools/workspace/node";

export interface CommandRow {
  readonly id: string;
  readonly command: string;
  readonly passed: boolean;
  /** Null when it was killed. */
  readonly exitCode: number | null;
  /** The last 64 KiB of stdout and stderr. */
  readonly output: string;
  readonly summary: string;
}

const LIMITS = { timeoutMs: 30 * 60_000, maxOutputBytes: 64 * 1024 };

export async function runShell(command: string, context: TaskContext): Promise<CommandRow> {
  const { nodeId, idempotencyKey, signal, worktree } = context;
  await using workspace = openNodeWorkspace(worktree?.path ?? process.cwd(), {
    env: process.env,
    marker: idempotencyKey,
  });
  const exit = await workspace.run({ argv: ["sh", "-c", command], ...LIMITS, signal });
  if (exit.kind === "not-started")
    throw new SmoothError("TASK_FAILED", `${command}: ${exit.message}`, { details: { nodeId } });
  const exitCode = exit.kind === "exited" ? exit.code : null;
  const summary = exit.kind === "exited" ? `exit code ${exit.code}` : `killed by ${exit.by}`;
  return { id: nodeId, command, passed: exitCode === 0, exitCode, output: exit.output, summary };
}
