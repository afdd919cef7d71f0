import { PGlite } from "@electric-sql/pglite";
import { PrismaPGlite } from "pglite-prisma-adapter";
import { PrismaClient } from "../../generated/client.ts";
import type { Db } from "../client.ts";
import { migrate } from "../migrate.ts";

/** A migrated, empty database in memory; a test file usually opens one and gives each test its own org. */
export async function openMemoryDb(): Promise<AsyncDisposable & { readonly db: Db }> {
  const pglite = await PGlite.create();
  await migrate(pglite);
  const db = new PrismaClient({ errorFormat: "minimal", adapter: new PrismaPGlite(pglite) });
  return {
    db,
    [Symbol.asyncDispose]: async () => {
      await db.$disconnect();
      await pglite.close();
    },
  };
}
