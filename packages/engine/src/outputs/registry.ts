/** Finds the table an author means: by the ref from `outputs`, by the schema object, or by name (two copies of a module agree on names). */
import { SmoothError } from "@smooth/protocol/errors";
import type { z } from "zod";
import { outputTable, type OutputTable } from "./table.ts";

/** Global, so that a ref made by another copy of this module is recognised. */
const NAME = Symbol.for("smooth.output");

export type OutputRef = z.ZodObject | string;

export interface OutputRegistry {
  readonly tables: readonly OutputTable[];
  /** Throws UNKNOWN_OUTPUT_SCHEMA, which says what is `asking`. */
  find(ref: unknown, asking?: () => string): OutputTable;
}

/** A copy of the schema that knows its key: the same schema object may serve several keys. */
export function namedRef<S extends z.ZodObject>(name: string, schema: S): S {
  const ref = schema.clone();
  Object.defineProperty(ref, NAME, { value: name });
  return ref;
}

export function outputRegistry(schemas: Readonly<Record<string, z.ZodObject>>): OutputRegistry {
  const tables = new Map(Object.entries(schemas).map(([name, schema]) => [name, outputTable(name, schema)]));
  return {
    tables: [...tables.values()],
    find: (ref, asking) => tables.get(nameOf(ref, tables)) ?? unknown(ref, { tables, asking }),
  };
}

function nameOf(ref: unknown, tables: ReadonlyMap<string, OutputTable>): string {
  if (typeof ref === "string") return ref;
  const named = typeof ref === "object" && ref !== null ? (ref as { [NAME]?: string })[NAME] : undefined;
  if (named !== undefined) return named;
  const owners = [...tables.values()].filter((table) => table.schema === ref);
  return owners.length === 1 && owners[0] ? owners[0].name : "";
}

interface Asked {
  readonly tables: ReadonlyMap<string, OutputTable>;
  readonly asking: (() => string) | undefined;
}

function unknown(ref: unknown, { tables, asking }: Asked): never {
  const schema = typeof ref === "object" ? "this schema object" : String(ref);
  const said = typeof ref === "string" ? JSON.stringify(ref) : schema;
  const known = [...tables.keys()].join(", ");
  throw new SmoothError(
    "UNKNOWN_OUTPUT_SCHEMA",
    `${asking ? `${asking()}: ` : ""}${said} is not one output of this workflow; use outputs.<name> (${known})`,
  );
}
