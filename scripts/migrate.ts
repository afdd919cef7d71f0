/** `node scripts/migrate.ts`: brings the database of DATABASE_URL up to date. */
import { migrateUp } from "@smooth/db/migrate";

const url = process.env["DATABASE_URL"];
if (!url) throw new TypeError("set DATABASE_URL to postgresql://… or pglite:<directory>");
const applied = await migrateUp(url);
console.log(applied.length === 0 ? "the database is up to date" : `applied ${applied.join(", ")}`);
