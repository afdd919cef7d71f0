import { defineConfig } from "prisma/config";

/** Only Prisma's command line reads this. Without DATABASE_URL it works on an empty PGlite in memory: enough to generate and to diff. */
export default defineConfig({
  schema: "prisma/schema.prisma",
  migrations: { path: "prisma/migrations" },
  datasource: { url: process.env["DATABASE_URL"] ?? "pglite:" },
});
