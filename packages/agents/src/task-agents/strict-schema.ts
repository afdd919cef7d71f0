/** Whether OpenAI's strict mode takes a JSON Schema: every object closed, every field required, every value of a known type. */
export function isStrict(schema: unknown): boolean {
  if (schema === null || typeof schema !== "object") return false;
  const { type, properties, required, additionalProperties, items, anyOf, $defs, allOf, oneOf, ...rest } =
    schema as Readonly<Record<string, unknown>>;
  if (allOf !== undefined || oneOf !== undefined) return false;
  const parts = [...listOf(anyOf), ...Object.values(($defs ?? {}) as object)];
  if (!parts.every(isStrict)) return false;
  if (type === "object")
    return (
      additionalProperties === false &&
      Object.entries((properties ?? {}) as object).every(
        ([key, value]) => listOf(required).includes(key) && isStrict(value),
      )
    );
  if (type === "array") return isStrict(items);
  return type !== undefined || anyOf !== undefined || "$ref" in rest || "enum" in rest || "const" in rest;
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
