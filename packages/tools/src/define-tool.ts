import { z } from "zod";
import { clipText } from "./workspace/output-window.ts";
import type { Workspace } from "./workspace/workspace.ts";

/** What a tool is, and how a call becomes a result.
 *  D1. Every call ends in a result the model can act on: bad JSON, bad arguments, unknown names and crashes are results too.
 *  D2. No result is longer than `maxOutputBytes`; a cut says how much is missing. */

export interface ToolContext {
  readonly workspace: Workspace;
  readonly signal: AbortSignal;
  readonly maxOutputBytes: number;
  /** Stable for the same call across retries and resumes. */
  readonly idempotencyKey: string;
  /** How long a command may take when the call does not say; default one minute. */
  readonly commandTimeoutMs?: number;
  /** How a bash line runs. A login shell has the tools of a guest's image; on a person's machine their profile is no business of
   *  ours, and killed in its middle it leaves locks behind. Default `login`. */
  readonly shell?: "login" | "plain";
}

export interface ToolResult {
  readonly ok: boolean;
  readonly content: string;
}

export interface Tool<S extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly description: string;
  readonly schema: S;
  /** Changes something outside the workspace. */
  readonly sideEffect: boolean;
  /** Calling twice with the same arguments is as good as once. */
  readonly idempotent: boolean;
  call(args: unknown, context: ToolContext): Promise<ToolResult>;
}

export interface ToolDefinition<S extends z.ZodObject> {
  readonly name: string;
  readonly description: string;
  readonly schema: S;
  readonly sideEffect?: boolean;
  readonly idempotent?: boolean;
  /** A string is success; anything else that is not a ToolResult is shown as JSON. */
  execute(args: z.infer<S>, context: ToolContext): unknown;
}

export function defineTool<S extends z.ZodObject>(definition: ToolDefinition<S>): Tool<S> {
  const { name, description, schema, sideEffect = false, idempotent = true } = definition;
  return {
    name,
    description,
    schema,
    sideEffect,
    idempotent,
    call: async (args, context) => {
      const parsed = schema.safeParse(args);
      if (!parsed.success) return failure(`invalid arguments for ${name}:\n${z.prettifyError(parsed.error)}`);
      try {
        return asResult(await definition.execute(parsed.data, context));
      } catch (error) {
        return failure(`${name} failed: ${error instanceof Error ? error.message : String(error)}`);
      }
    },
  };
}

/** D1, D2. `args` is JSON text as the model wrote it. */
export async function callTool(
  tools: readonly Tool[],
  call: { readonly name: string; readonly args: string },
  context: ToolContext,
): Promise<ToolResult> {
  const tool = tools.find(({ name }) => name === call.name);
  if (!tool) return failure(`no tool is called ${call.name}; there are ${tools.map(({ name }) => name).join(", ")}`);
  const args = parseArgs(call.args);
  if (args === undefined) return failure(`the arguments for ${call.name} are not valid JSON; send one JSON object`);
  const { ok, content } = await tool.call(args, context);
  return { ok, content: clipText(content, context.maxOutputBytes) };
}

export const failure = (content: string): ToolResult => ({ ok: false, content });

/** Models write an empty string for "no arguments". */
function parseArgs(text: string): unknown {
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function asResult(value: unknown): ToolResult {
  if (typeof value === "string") return { ok: true, content: value };
  if (value !== null && typeof value === "object" && "ok" in value && "content" in value) return value as ToolResult;
  return { ok: true, content: JSON.stringify(value) ?? "" };
}
