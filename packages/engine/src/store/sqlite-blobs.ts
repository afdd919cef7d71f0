/** What the rows of a SQLite database take, and which blobs they refer to. */
import type { Sql } from "@smooth/platform/ports";
import { blobOf } from "../blobs/ref.ts";
import type { RunSize } from "./port.ts";
import { json, runSizes, type BlobRef } from "./rows.ts";
import { quoted } from "./sqlite-schema.ts";

export const blobRefs = (sql: Sql): ReadonlySet<string> => new Set(refs(sql).map(([, ref]) => ref));

export function sizes(sql: Sql): readonly RunSize[] {
  const rows = tables(sql).flatMap(([table, columns]) => {
    const bytes = columns.map((column) => `coalesce(octet_length(${quoted(column)}), 0)`).join(" + ");
    return sql.all(`SELECT run_id, sum(${bytes}) AS bytes FROM ${quoted(table)} GROUP BY run_id`);
  });
  return runSizes(rows, refs(sql));
}

function refs(sql: Sql): readonly BlobRef[] {
  const cells = outputColumns(sql).flatMap(([table, column]) =>
    sql.all(
      `SELECT run_id, lower(hex(${quoted(column)})) AS ref FROM ${quoted(table)} WHERE typeof(${quoted(column)}) = 'blob'`,
    ),
  );
  const beats = sql.all(`SELECT run_id, payload FROM _smithers_heartbeats WHERE payload LIKE '{"$blob":%'`);
  return [
    ...cells.map((row): BlobRef => [String(row["run_id"]), String(row["ref"])]),
    ...beats.flatMap((row): BlobRef[] => {
      const ref = blobOf(json(row["payload"]));
      return ref === null ? [] : [[String(row["run_id"]), ref]];
    }),
  ];
}

/** All that hold rows of runs, with their columns. The cache belongs to no run. */
function tables(sql: Sql): readonly (readonly [table: string, columns: readonly string[]])[] {
  const found = new Map<string, string[]>();
  const text = `SELECT m.name AS "table", c.name AS "column" FROM sqlite_master m, pragma_table_info(m.name) c
    WHERE m.type = 'table' AND m.name <> '_smithers_cache'`;
  for (const row of sql.all(text)) {
    const table = String(row["table"]);
    found.set(table, [...(found.get(table) ?? []), String(row["column"])]);
  }
  return [...found].filter(([, columns]) => columns.includes("run_id"));
}

/** Of every table that holds outputs: those with the columns of a node's row. */
const outputColumns = (sql: Sql): readonly (readonly [table: string, column: string])[] =>
  sql
    .all(
      `SELECT m.name AS "table", c.name AS "column" FROM sqlite_master m, pragma_table_info(m.name) c
       WHERE m.type = 'table' AND m.name NOT LIKE '\\_smithers\\_%' ESCAPE '\\' AND c.type IN ('TEXT', 'JSON_TEXT')
       AND 3 = (SELECT count(*) FROM pragma_table_info(m.name) k WHERE k.name IN ('run_id', 'node_id', 'iteration'))`,
    )
    .map((row) => [String(row["table"]), String(row["column"])]);
