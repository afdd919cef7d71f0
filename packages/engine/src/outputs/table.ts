/** One table per output schema: which columns it has and how a value becomes cells and comes back exactly.
 *  O1. decode(encode(row)) equals row: booleans, null, absent, Date and nested values included.
 *      A text that is not well-formed Unicode is recorded with U+FFFD in place of what no store could give back.
 *  O2. Column names are snake_case; what is not a plain string, number or boolean is JSON text. Two fields of one column are refused:
 *      which of them had it would hang on their order, and another order would give each the other's values.
 *  O3. What could not come back as it was (a function, bytes, an error) is refused, and never recorded as something else. */
import type { SqlValue } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { z } from "zod";

export type Row = Readonly<Record<string, unknown>>;
type ColumnKind = "text" | "number" | "boolean" | "json";

export interface Column {
  readonly key: string;
  readonly name: string;
  readonly kind: ColumnKind;
  /** What a NULL cell means: `null`, or that the key is absent. */
  readonly nullMeans: "null" | "absent";
}

export interface OutputTable {
  /** The key given to createSmithers. */
  readonly name: string;
  readonly schema: z.ZodObject;
  readonly columns: readonly Column[];
}

/** A row on its way to its table. */
export interface Recorded {
  readonly row: Row;
  readonly table: OutputTable;
  /** It was kept from an earlier execution. */
  readonly cached?: true;
}

/** Keys outside the shape of a loose object travel together here. */
const REST: Column = { key: "", name: "_rest", kind: "json", nullMeans: "absent" };

/** Throws INVALID_INPUT. */
export function outputTable(name: string, schema: z.ZodObject): OutputTable {
  const columns = Object.entries(schema.shape).map(([key, type]) => columnOf(key, type as z.ZodType));
  const fields = new Map<string, string>();
  for (const { key, name: column } of columns) {
    const other = fields.get(column);
    if (other !== undefined) throw sameColumn(name, column, [other, key]); // O2
    fields.set(column, key);
  }
  return { name, schema, columns: [...columns, REST] };
}

const sameColumn = (output: string, column: string, fields: readonly [string, string]): SmoothError =>
  new SmoothError(
    "INVALID_INPUT",
    `output ${output}: the fields \`${fields[0]}\` and \`${fields[1]}\` would both be column ${column}; rename one of them`,
    { details: { output, fields: [...fields] } },
  );

const KEY_COLUMNS: ReadonlySet<string> = new Set(["run_id", "node_id", "iteration", REST.name]);

/** A field called like a key column gets a name of its own. */
function columnName(key: string): string {
  const name = snakeCase(key);
  return KEY_COLUMNS.has(name) ? `${name}_field` : name;
}

const snakeCase = (key: string): string => key.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();

const PLAIN: Readonly<Record<string, ColumnKind>> = {
  string: "text",
  number: "number",
  boolean: "boolean",
  enum: "text",
};

function columnOf(key: string, type: z.ZodType): Column {
  let inner = type;
  let nullable = false;
  let optional = false;
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodNullable || inner instanceof z.ZodDefault) {
    nullable ||= inner instanceof z.ZodNullable;
    optional ||= inner instanceof z.ZodOptional;
    inner = inner.unwrap() as z.ZodType;
  }
  const plain = PLAIN[inner.def.type];
  const numericEnum = inner instanceof z.ZodEnum && inner.options.some((option) => typeof option !== "string");
  const exact = plain !== undefined && !numericEnum && !(nullable && optional);
  return {
    key,
    name: columnName(key),
    kind: exact ? plain : "json",
    nullMeans: exact && nullable ? "null" : "absent",
  };
}

export function encodeRow(table: OutputTable, row: Row): SqlValue[] {
  return table.columns.map((column) => (column === REST ? restOf(table, row) : encodeCell(column, row[column.key])));
}

function restOf({ columns }: OutputTable, row: Row): string | null {
  const extra = Object.keys(row).filter((key) => !columns.some((column) => column.key === key));
  return extra.length > 0 ? taggedJson(Object.fromEntries(extra.map((key) => [key, row[key]]))) : null;
}

function encodeCell(column: Column, value: unknown): SqlValue {
  if (value === undefined) return null;
  if (column.kind === "json") return taggedJson(value);
  if (value === null) return null;
  if (column.kind === "boolean") return Number(value as boolean);
  return typeof value === "string" ? value.toWellFormed() : (value as number);
}

export function decodeRow(table: OutputTable, cells: readonly SqlValue[]): Row {
  const row: Record<string, unknown> = {};
  table.columns.forEach((column, at) => {
    const cell = cells[at] ?? null;
    if (cell === null && column.nullMeans === "absent") return;
    if (column === REST) Object.assign(row, fromJson(String(cell)));
    else row[column.key] = cell === null ? null : decodeCell(column, cell);
  });
  return row;
}

function decodeCell(column: Column, cell: Exclude<SqlValue, null>): unknown {
  if (column.kind === "json") return fromJson(String(cell));
  return column.kind === "boolean" ? cell === 1 : cell;
}

/** JSON that keeps what plain JSON loses, as `{"$smooth": [type, what it is made of]}`. */
const TAG = "$smooth";

export const rowToJson = (row: Row): string => taggedJson(row);
export const rowFromJson = (text: string): Row => fromJson(text) as Row;

/** Throws for what would come back as something else: a function, bytes, an error. */
export function taggedJson(value: unknown): string {
  const text = JSON.stringify(value, function (this: Record<string, unknown>, key, plain: unknown) {
    if (!isData(this[key])) throw new TypeError(`a ${nameOf(this[key])} is no data`); // O3
    const tagged = tagOf(this[key]);
    return tagged ? { [TAG]: tagged } : plain;
  }) as string | undefined;
  if (text === undefined) throw new TypeError(`a ${typeof value} is no data`);
  return text;
}

/** Own classes pass as the data they hold; what has a JSON form of its own, as that. */
function isData(raw: unknown): boolean {
  if (typeof raw !== "object" || raw === null) return typeof raw !== "function" && typeof raw !== "symbol";
  return !ArrayBuffer.isView(raw) && ("toJSON" in raw || DATA.has(nameOf(raw)));
}

const DATA: ReadonlySet<string> = new Set(["Object", "Array", "Map", "Set", "Boolean", "Number", "String"]);
const nameOf = (raw: unknown): string => Object.prototype.toString.call(raw).slice("[object ".length, -1);

function tagOf(raw: unknown): readonly [string, unknown] | undefined {
  if (raw instanceof Date) return ["date", raw.toISOString()];
  if (typeof raw === "bigint") return ["bigint", String(raw)];
  if (typeof raw === "number" && !Number.isFinite(raw)) return ["number", String(raw)];
  if (raw instanceof Map) return ["map", [...raw]];
  // JSON would make null of it, and a hole of what a reviver calls undefined.
  if (Array.isArray(raw) && raw.includes(undefined))
    return ["array", Array.from(raw, (member) => (member === undefined ? [] : [member]))];
  if (raw instanceof Set) return ["set", [...raw]];
  // An author's own key that is called like ours.
  if (typeof raw === "object" && raw !== null && Object.hasOwn(raw, TAG)) return ["object", Object.entries(raw)];
  return undefined;
}

type Made = (from: unknown) => unknown;
const UNTAGGED: Readonly<Record<string, Made>> = {
  date: (text) => new Date(String(text)),
  bigint: (text) => BigInt(String(text)),
  number: Number,
  map: (entries) => new Map(entries as [unknown, unknown][]),
  array: (members) => (members as unknown[][]).map(([member]) => member),
  set: (members) => new Set(members as unknown[]),
  object: (entries) => Object.fromEntries(entries as [string, unknown][]),
};

function fromJson(text: string): unknown {
  if (!text.includes(TAG)) return JSON.parse(text);
  return JSON.parse(text, (_key, value: unknown) => {
    const tagged = (value as Record<string, unknown> | null)?.[TAG];
    return Array.isArray(tagged) ? (UNTAGGED[String(tagged[0])]?.(tagged[1]) ?? value) : value;
  });
}
