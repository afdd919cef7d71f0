import { mkdirSync } from "node:fs";
import { PrismaPg } from "@prisma/adapter-pg";
import { PrismaClient } from "../generated/client.ts";
import type { Prisma } from "../generated/client.ts";
import { pgliteDirOf } from "./pglite-dir.ts";

/** Opens the dashboard's database: `postgresql://…`, or `pglite:<directory>` (in memory when the directory is empty).
 *  C1. One PGlite has one connection: inside a transaction only `tx` may be used, never `db`. */

export type Db = PrismaClient;
export type Tx = Prisma.TransactionClient;

export async function openDb(url: string): Promise<Db> {
  const dir = pgliteDirOf(url);
  const options = { errorFormat: "minimal", transactionOptions: { maxWait: 10_000, timeout: 30_000 } } as const;
  if (dir === null) return new PrismaClient({ ...options, adapter: new PrismaPg({ connectionString: url }) });
  const [{ PGlite }, { PrismaPGlite }] = await Promise.all([
    import("@electric-sql/pglite"),
    import("pglite-prisma-adapter"),
  ]);
  if (dir !== "") mkdirSync(dir, { recursive: true });
  const pglite = dir === "" ? await PGlite.create() : await PGlite.create(dir);
  return new PrismaClient({ ...options, adapter: new PrismaPGlite(pglite) });
}

/** A unique key already has this value (Prisma's P2002). */
export function isDuplicate(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "P2002";
}
