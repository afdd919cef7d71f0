/** @jsxImportSource @smooth/workflow */
/** What the tests of failures share: tasks that end well, badly, or only when they are aborted. */
import type { ReactElement } from "react";
import type { TaskContext } from "@smooth/engine/task";
import { never, one, outputs, smithers, Task, Workflow } from "./rules.ts";

export const Ok = ({ id }: { id: string }) => (
  <Task id={id} output={outputs.n}>
    {one}
  </Task>
);
export const Bad = ({ id, code }: { id: string; code?: string }) => (
  <Task id={id} output={outputs.n} noRetry {...(code === "TASK_TIMEOUT" ? { timeoutMs: 1 } : {})}>
    {code === "TASK_TIMEOUT" ? never : () => Promise.reject(new Error(`${id} broke`))}
  </Task>
);
export const Aborts = ({ id, onAbort }: { id: string; onAbort?: () => void }) => (
  <Task id={id} output={outputs.n}>
    {({ signal }: TaskContext) =>
      new Promise<{ n: number }>((_, reject) =>
        signal.addEventListener("abort", () => (onAbort?.(), reject(signal.reason as Error))),
      )
    }
  </Task>
);
export const wf = (...children: ReactElement[]) => smithers(() => <Workflow name="failures">{children}</Workflow>);
export const ended = (lines: readonly string[]) => lines.filter((line) => !line.startsWith("node.started"));
