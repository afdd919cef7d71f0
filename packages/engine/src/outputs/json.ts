export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** As a store holds it: limits are in bytes, and most letters of the world take more than one. */
export const sizeOf = (text: string): number => new TextEncoder().encode(text).length;

/** A row for whoever reads it as JSON: dates and big numbers as text, maps and sets as what they hold. */
export const legible = (value: unknown): JsonValue =>
  JSON.parse(JSON.stringify(value, (_key, inner: unknown) => asPlain(inner)) ?? "null") as JsonValue;

function asPlain(value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  return value instanceof Map || value instanceof Set ? [...(value as Iterable<unknown>)] : value;
}
