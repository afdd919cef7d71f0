import { z } from "zod";
import type { Tool } from "./define-tool.ts";

/** A tool as the OpenAI chat dialect wants it. */
export interface ToolSchema {
  readonly type: "function";
  readonly function: { readonly name: string; readonly description: string; readonly parameters: unknown };
}

export function describeTools(tools: readonly Tool[]): ToolSchema[] {
  return tools.map(({ name, description, schema }) => {
    const { $schema: _, ...parameters } = z.toJSONSchema(schema, { io: "input" });
    return { type: "function", function: { name, description, parameters } };
  });
}
