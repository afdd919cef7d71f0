/** From the schemas of an OpenAPI document (3.0 and 3.1) to zod.
 *  O2. A schema that holds itself becomes a lazy one; one that is composed of itself, as a parent of its children that lists them, and
 *      what else zod cannot say stays open, so that the service judges it. */
import { z } from "zod";
import { isObject, resolve, type Json, type JsonObject, type OpenApiDocument } from "./spec.ts";

/** One converter per document: a referenced schema is converted once. */
export function schemaReader(document: OpenApiDocument): (schema: Json | undefined) => z.ZodType {
  const done = new Map<string, z.ZodType>();
  const open = new Set<string>();

  /** `same`: the references that describe this very value. */
  const readAs = (given: Json | undefined, same: readonly string[]): z.ZodType => {
    if (!isObject(given)) return given === false ? z.never() : z.unknown();
    const ref = given["$ref"];
    if (typeof ref !== "string") {
      const part: Read = (schema) => readAs(schema, same);
      return decorated(given, shapeOf(given, { part, read }));
    }
    const known = done.get(ref);
    if (known) return known;
    if (same.includes(ref)) return z.unknown(); // O2
    if (open.has(ref)) return z.lazy(() => done.get(ref) ?? z.unknown()); // O2
    open.add(ref);
    const schema = readAs(resolve(document, given), [...same, ref]);
    open.delete(ref);
    done.set(ref, schema);
    return schema;
  };
  const read: Read = (given) => readAs(given, []);
  return read;
}

type Read = (schema: Json | undefined) => z.ZodType;
interface Reading {
  /** Another description of the same value. */
  readonly part: Read;
  /** A value inside of it. */
  readonly read: Read;
}

function shapeOf(schema: JsonObject, { part, read }: Reading): z.ZodType {
  const { type, enum: choices, const: only, oneOf, anyOf, allOf } = schema;
  if (Array.isArray(choices) && choices.length > 0) return z.literal(choices.map(asLiteral));
  if (only !== undefined) return z.literal(asLiteral(only));
  if (Array.isArray(allOf)) return allOfThem([...allOf, ...ownPart(schema)].map(part));
  for (const options of [oneOf, anyOf])
    if (Array.isArray(options) && options.length > 0)
      return oneOfThem(options.map((option: Json) => part(withOwnPart(schema, option))));
  if (Array.isArray(type)) return oneOfThem(type.map((each: Json) => typed(each, schema, read)));
  return typed(type ?? (schema["properties"] ? "object" : schema["items"] ? "array" : undefined), schema, read);
}

function typed(type: Json | undefined, schema: JsonObject, read: Read): z.ZodType {
  switch (String(type)) {
    case "string":
      return stringOf(schema);
    case "integer":
      return numberOf(z.int(), schema);
    case "number":
      return numberOf(z.number(), schema);
    case "boolean":
      return z.boolean();
    case "null":
      return z.null();
    case "array":
      return arrayOf(schema, read);
    case "object":
      return objectOf(schema, read);
    default:
      return z.unknown();
  }
}

const numeric = (value: Json | undefined): number | undefined => (typeof value === "number" ? value : undefined);

function stringOf(schema: JsonObject): z.ZodType {
  let text = z.string();
  const min = numeric(schema["minLength"]);
  const max = numeric(schema["maxLength"]);
  const pattern = typeof schema["pattern"] === "string" ? patternOf(schema["pattern"]) : undefined;
  if (min !== undefined) text = text.min(min);
  if (max !== undefined) text = text.max(max);
  if (pattern) text = text.regex(pattern);
  return typeof schema["format"] === "string" ? text.meta({ format: schema["format"] }) : text;
}

/** Patterns of other dialects are left to the service. */
function patternOf(source: string): RegExp | undefined {
  try {
    return new RegExp(source, "u");
  } catch {
    return undefined;
  }
}

function numberOf(number: z.ZodNumber, schema: JsonObject): z.ZodType {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  const limits = [
    [numeric(minimum), exclusiveMinimum === true ? "gt" : "gte"],
    [numeric(exclusiveMinimum), "gt"],
    [numeric(maximum), exclusiveMaximum === true ? "lt" : "lte"],
    [numeric(exclusiveMaximum), "lt"],
    [numeric(multipleOf), "multipleOf"],
  ] as const;
  return limits.reduce((so, [limit, check]) => (limit === undefined ? so : so[check](limit)), number);
}

function arrayOf(schema: JsonObject, read: Read): z.ZodType {
  const list = z.array(read(schema["items"]));
  const min = numeric(schema["minItems"]);
  const max = numeric(schema["maxItems"]);
  const atLeast = min === undefined ? list : list.min(min);
  return max === undefined ? atLeast : atLeast.max(max);
}

/** What only the service may set is not asked for. */
function objectOf(schema: JsonObject, read: Read): z.ZodType {
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  const shape = Object.fromEntries(
    Object.entries(isObject(schema["properties"]) ? schema["properties"] : {})
      .filter(([, property]) => !(isObject(property) && property["readOnly"] === true))
      .map(([name, property]) => [name, required.includes(name) ? read(property) : read(property).optional()]),
  );
  const rest = schema["additionalProperties"];
  if (rest === false) return z.strictObject(shape);
  return isObject(rest) ? z.object(shape).catchall(read(rest)) : z.looseObject(shape);
}

const OWN = ["type", "properties", "required"];
/** What a schema says beside its `allOf`. */
const ownPart = (schema: JsonObject): JsonObject[] =>
  schema["properties"] === undefined
    ? []
    : [Object.fromEntries(Object.entries(schema).filter(([key]) => OWN.includes(key)))];
const withOwnPart = (schema: JsonObject, option: Json): Json =>
  ownPart(schema).length === 0 ? option : { allOf: [option, ...ownPart(schema)] };

const asLiteral = (value: Json): string | number | boolean | null =>
  typeof value === "object" && value !== null ? JSON.stringify(value) : value;
const allOfThem = ([first = z.unknown(), ...more]: readonly z.ZodType[]): z.ZodType =>
  more.reduce((so, next) => z.intersection(so, next), first);
function oneOfThem([first = z.unknown(), ...more]: readonly z.ZodType[]): z.ZodType {
  return more.length === 0 ? first : z.union([first, ...more]);
}

function decorated(schema: JsonObject, plain: z.ZodType): z.ZodType {
  const nullable = schema["nullable"] === true ? plain.nullable() : plain;
  const described = typeof schema["description"] === "string" ? nullable.describe(schema["description"]) : nullable;
  return schema["default"] === undefined ? described : described.default(schema["default"]);
}
