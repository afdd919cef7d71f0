/** Holds the write lock of a database: node lock-child.ts <database> <ms>. Says when it has it. */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { openSqlite } from "@smooth/platform/node/sqlite";

const [path = "", ms = "0"] = process.argv.slice(2);
const sql = openSqlite(path);
sql.exec("BEGIN IMMEDIATE");
process.stdout.write("held\n");
await sleep(Number(ms));
sql.exec("ROLLBACK");
sql.close();
