/** Why a database refuses to write for the moment. Such a failure has rolled back, so the same write may be tried again whole. */
export type Unavailable = "disk" | "lock";

/** SQLite's result codes, without their extensions. */
const SQLITE: Readonly<Record<number, Unavailable>> = { 5: "lock", 6: "lock", 10: "disk", 13: "disk" };
/** Postgres: disk_full, lock_not_available, deadlock_detected. */
const POSTGRES: Readonly<Record<string, Unavailable>> = { 53100: "disk", "55P03": "lock", "40P01": "lock" };

/** Null: waiting would not help, or what became of the write is unknown. */
export function unavailable(error: unknown): Unavailable | null {
  const { errcode, code } = error as { readonly errcode?: unknown; readonly code?: unknown };
  if (typeof errcode === "number") return SQLITE[errcode & 0xff] ?? null;
  return typeof code === "string" ? (POSTGRES[code] ?? null) : null;
}
