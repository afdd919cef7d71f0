/** Which blobs the rows of a SQLite database refer to. */
import type { Sql } from "@smooth/platform/ports";
import { blobOf } from "../blobs/ref.ts";
import { json } from "./rows.ts";
import { quoted } from "./sqlite-schema.ts";

export function blobRefs(sql: Sql): ReadonlySet<string> {
  const cells = outputColumns(sql).flatMap(([table, column]) =>
    sql.all(
      `SELECT lower(hex(${quoted(column)})) AS ref FROM ${quoted(table)} WHERE typeof(${quoted(column)}) = 'blob'`,
    ),
  );
  const beats = sql.all(`SELECT payload FROM _smithers_heartbeats WHERE payload LIKE '{"$blob":%'`);
  return new Set([
    ...cells.map((row) => String(row["ref"])),
    ...beats.flatMap((row) => blobOf(json(row["payload"])) ?? []),
  ]);
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
