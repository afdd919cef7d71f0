/** Whether a running workflow may be exchanged for an edited one. What is recorded must keep its meaning: rows, input, and their schemas. */
import { SmoothError } from "@smooth/protocol/errors";
import { z } from "zod";
import type { OutputTable } from "../outputs/table.ts";
import type { WorkflowDefinition } from "../render/workflow.ts";

/** Null: yes. New outputs are welcome; a changed or removed one needs a fresh run. */
export function incompatibility(before: WorkflowDefinition, after: WorkflowDefinition): SmoothError | null {
  if (shapeOf(before.inputSchema) !== shapeOf(after.inputSchema)) return refused("the input's schema has changed");
  const now = new Map(after.registry.tables.map((table) => [table.name, table]));
  for (const table of before.registry.tables) {
    const same = now.get(table.name);
    if (!same) return refused(`output ${table.name} is gone`);
    if (tableShape(same) !== tableShape(table)) return refused(`the schema of output ${table.name} has changed`);
  }
  return null;
}

const refused = (what: string): SmoothError =>
  new SmoothError("SCHEMA_CHANGE_HOT", `${what}; a running workflow keeps its schemas: start a fresh run for it`);

const shapeOf = (schema: z.ZodType | null): string =>
  JSON.stringify(schema && z.toJSONSchema(schema, { unrepresentable: "any", io: "input" }));

const tableShape = ({ schema, columns }: OutputTable): string => shapeOf(schema) + JSON.stringify(columns);
