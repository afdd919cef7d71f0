/** Holds the write lock of a database: node lock-child.ts <database>. Says when it has it, and holds it until its stdin ends. */
import { once } from "node:events";
import process from "node:process";
import { openSqlite } from "@smooth/platform/node/sqlite";

const [path = ""] = process.argv.slice(2);
const sql = openSqlite(path);
sql.exec("BEGIN IMMEDIATE");
process.stdout.write("held\n");
await once(process.stdin.resume(), "end");
sql.exec("ROLLBACK");
sql.close();
