/** A small example of what fits a schema, as JSON text: agents copy shapes more readily than they read schemas. */
import { z } from "zod";

export const zodSchemaToJsonExample = (schema: z.ZodType): string =>
  JSON.stringify(exampleOf(z.toJSONSchema(schema, { unrepresentable: "any", io: "input" }) as JsonSchema), null, 2);

interface JsonSchema {
  readonly type?: string;
  readonly const?: unknown;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly description?: string;
  readonly minimum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
}

function exampleOf(schema: JsonSchema): unknown {
  const { type, properties, items, anyOf, allOf, description } = schema;
  if (schema.const !== undefined) return schema.const;
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  if (anyOf) return exampleOf(anyOf.find((option) => option.type !== "null") ?? {});
  if (allOf) return Object.assign({}, ...allOf.map(exampleOf)) as unknown;
  switch (type ?? "anything") {
    case "string":
      return description ?? "string";
    case "integer":
    case "number":
      return Math.max(0, schema.minimum ?? 0);
    case "boolean":
      return false;
    case "array":
      return [exampleOf(items ?? {})];
    case "object":
      return Object.fromEntries(
        Object.entries(properties ?? {}).map(([name, property]) => [name, exampleOf(property)]),
      );
    default:
      return null;
  }
}
