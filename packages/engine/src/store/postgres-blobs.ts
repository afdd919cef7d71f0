/** What the rows of a Postgres database take, and which blobs they refer to. */
import type { PgQuery } from "@smooth/platform/ports";
import { blobOf } from "../blobs/ref.ts";
import type { RunSize } from "./port.ts";
import { BYTES } from "./postgres-schema.ts";
import { json, runSizes, type BlobRef } from "./rows.ts";
import { quoted } from "./sqlite-schema.ts";

export const blobRefs = async (query: PgQuery): Promise<ReadonlySet<string>> =>
  new Set((await refs(query)).map(([, ref]) => ref));

export async function sizes(query: PgQuery): Promise<readonly RunSize[]> {
  const tables = await query(
    `SELECT table_name FROM information_schema.columns
     WHERE table_schema = current_schema() AND column_name = 'run_id' AND table_name <> '_smithers_cache'`,
  );
  const rows = await Promise.all(
    tables.map(({ table_name: name }) =>
      query(`SELECT run_id, sum(octet_length(t::text)) AS bytes FROM ${quoted(String(name))} t GROUP BY run_id`),
    ),
  );
  return runSizes(rows.flat(), await refs(query));
}

async function refs(query: PgQuery): Promise<readonly BlobRef[]> {
  const found: BlobRef[] = [];
  for (const [table, column] of await outputColumns(query)) {
    const name = quoted(column);
    const text = `SELECT run_id, substr(${name}, 2) AS ref FROM ${quoted(table)} WHERE left(${name}, 1) = $1`;
    for (const row of await query(text, [BYTES])) found.push([String(row["run_id"]), String(row["ref"])]);
  }
  for (const row of await query(`SELECT run_id, payload FROM _smithers_heartbeats WHERE payload LIKE '{"$blob":%'`)) {
    const ref = blobOf(json(row["payload"]));
    if (ref !== null) found.push([String(row["run_id"]), ref]);
  }
  return found;
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
