/** Whether what came from outside is a row of the node's output. */
import { z } from "zod";
import type { JsonValue } from "./json.ts";
import type { OutputTable, Row } from "./table.ts";

export type Fitted =
  | { readonly kind: "row"; readonly row: Row; readonly table: OutputTable }
  | { readonly kind: "misfit"; readonly problem: string };

export function fit(table: OutputTable, value: unknown): Fitted {
  try {
    const parsed = table.schema.safeParse(value);
    if (parsed.success) return { kind: "row", row: parsed.data, table };
    return { kind: "misfit", problem: z.prettifyError(parsed.error) };
  } catch (error) {
    return { kind: "misfit", problem: error instanceof Error ? error.message : String(error) }; // a schema that throws or is async
  }
}

const KNOWN = new WeakMap<z.ZodType, JsonValue>();

/** What doors can check without the workflow; whatever JSON Schema cannot say is checked by `fit`. */
export function schemaOf(schema: z.ZodType): JsonValue {
  const known = KNOWN.get(schema) ?? (z.toJSONSchema(schema, { unrepresentable: "any", io: "input" }) as JsonValue);
  KNOWN.set(schema, known);
  return known;
}

/** Undefined: it fits, as far as JSON Schema can tell. */
export function misfit(schema: JsonValue, value: JsonValue): string | undefined {
  const parsed = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]).safeParse(value);
  return parsed.success ? undefined : z.prettifyError(parsed.error);
}
