import process from "node:process";
import { SmoothError } from "@smooth/protocol/errors";
import { z } from "zod";
import { callInTask, type TaskCall } from "./scope.node.ts";

/** Tools that authors give to the agents of their tasks. The result is a tool of the AI SDK as it stands, with the task's context,
 *  a log of its calls and stable idempotency keys added. */

export interface TaskTool<S extends z.ZodObject = z.ZodObject, R = unknown> {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: S;
  readonly sideEffect: boolean;
  readonly idempotent: boolean;
  // Bivariant, and with room for a second argument: the AI SDK passes its own options, which are not ours.
  execute(args: z.input<S>, options?: unknown): Promise<R>;
}

export interface TaskToolDefinition<S extends z.ZodObject, R> {
  readonly name: string;
  readonly description?: string;
  readonly schema: S;
  /** Changes something outside the workspace: an order, a message, a row. */
  readonly sideEffect?: boolean;
  /** Calling twice with the same input is as good as once; where it is not, a retried task is warned. Default true. */
  readonly idempotent?: boolean;
  execute(args: z.output<S>, ctx: TaskCall): R | Promise<R>;
}

export function defineTool<S extends z.ZodObject, R>(definition: TaskToolDefinition<S, R>): TaskTool<S, R> {
  const { name, description = name, schema, sideEffect = false, idempotent = true } = definition;
  if (sideEffect && !idempotent && definition.execute.length < 2)
    process.emitWarning(
      `tool ${name} has side effects that are not safe to repeat, and its execute takes no ctx: pass ctx.idempotencyKey on`,
      { code: "SMITHERS_TOOL_WITHOUT_CTX" },
    );
  const tool = { name, sideEffect, idempotent };
  return {
    ...tool,
    description,
    inputSchema: schema,
    execute: (args) =>
      callInTask(tool, { args, logged: args }, async (call) => definition.execute(parsed(schema, name, args), call)),
  };
}

export function parsed<S extends z.ZodObject>(schema: S, name: string, args: unknown): z.output<S> {
  const result = schema.safeParse(args);
  if (result.success) return result.data;
  throw new SmoothError("INVALID_INPUT", `invalid arguments for ${name}:\n${z.prettifyError(result.error)}`);
}
