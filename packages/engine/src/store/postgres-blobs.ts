/** Which blobs the rows of a Postgres database refer to. */
import type { PgQuery } from "@smooth/platform/ports";
import { blobOf } from "../blobs/ref.ts";
import { BYTES } from "./postgres-schema.ts";
import { json } from "./rows.ts";
import { quoted } from "./sqlite-schema.ts";

export async function blobRefs(query: PgQuery): Promise<ReadonlySet<string>> {
  const refs = new Set<string>();
  for (const [table, column] of await outputColumns(query)) {
    const name = quoted(column);
    const rows = await query(`SELECT substr(${name}, 2) AS ref FROM ${quoted(table)} WHERE left(${name}, 1) = $1`, [
      BYTES,
    ]);
    for (const row of rows) refs.add(String(row["ref"]));
  }
  for (const row of await query(`SELECT payload FROM _smithers_heartbeats WHERE payload LIKE '{"$blob":%'`)) {
    const ref = blobOf(json(row["payload"]));
    if (ref !== null) refs.add(ref);
  }
  return refs;
}

/** Of every table that holds outputs: those with the columns of a node's row. */
async function outputColumns(query: PgQuery): Promise<readonly (readonly [table: string, column: string])[]> {
  const rows = await query(
    `SELECT c.table_name, c.column_name FROM information_schema.columns c
     WHERE c.table_schema = current_schema() AND c.table_name NOT LIKE '\\_smithers\\_%' AND c.data_type = 'text'
     AND 3 = (SELECT count(*) FROM information_schema.columns k WHERE k.table_schema = c.table_schema
       AND k.table_name = c.table_name AND k.column_name IN ('run_id', 'node_id', 'iteration'))`,
  );
  return rows.map((row) => [String(row["table_name"]), String(row["column_name"])]);
}
