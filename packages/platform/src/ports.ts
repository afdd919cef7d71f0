/** The world, as arguments. A room that takes these can be replayed, forked and tested; the Node versions live in `node/`. */

export interface Clock {
  /** Wall time in integer milliseconds since the epoch. */
  now(): number;
  /** Resolves after `ms`, or rejects with the signal's reason when aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Uniform in [0, 1). */
export type Random = () => number;

export interface Ids {
  /** A fresh, collision-free, URL-safe lower-case id with the given prefix, e.g. `run-01jc…`. */
  next(prefix: string): string;
}

/** Flat fields only; the sink redacts, the caller never logs secrets on purpose. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** A value SQLite can hold. */
export type SqlValue = string | number | bigint | null | Uint8Array;
export type SqlRow = Record<string, SqlValue>;

/** What a synchronous transaction body may return: anything that is not a promise. */
export type Sync<T> = T extends PromiseLike<unknown> ? never : T;

/** One SQLite database. Statements are prepared once per text. Not shared between threads. */
export interface Sql {
  run(text: string, params?: readonly SqlValue[]): { changes: number; lastInsertRowid: number | bigint };
  get(text: string, params?: readonly SqlValue[]): SqlRow | undefined;
  all(text: string, params?: readonly SqlValue[]): SqlRow[];
  /** Several statements, no parameters: migrations. */
  exec(script: string): void;
  /** BEGIN IMMEDIATE … COMMIT; a throw rolls back. The type refuses an async body (CONVENTIONS 24). */
  transaction<T>(body: () => Sync<T>): T;
  close(): void;
}

/** Bytes by their SHA-256. Putting the same bytes twice stores them once. */
export interface Blobs {
  /** Durable when it resolves. */
  put(bytes: Uint8Array): Promise<string>;
  /** Rejects with NOT_FOUND when they are missing, with INTERNAL when they do not have this hash any more. */
  get(sha256: string): Promise<Uint8Array>;
  /** What is there, with its size and when it was last put. */
  list(): Promise<readonly { readonly sha256: string; readonly bytes: number; readonly putAtMs: number }[]>;
  /** Removes what is not kept and was last put before then; answers how many. */
  sweep(sweep: { readonly keep: ReadonlySet<string>; readonly putBeforeMs: number }): Promise<number>;
}

/** One file system. */
export interface Disk {
  /** What is left for us. */
  freeBytes(): Promise<number>;
}

/** A list is one parameter: an array of the database. */
export type PgParam = SqlValue | boolean | readonly (SqlValue | boolean)[];
export type PgQuery = (text: string, params?: readonly PgParam[]) => Promise<SqlRow[]>;

/** One Postgres database, over a pool of connections. Parameters are `$1`, `$2`, …; whole numbers come back as numbers, booleans as 0 or 1. */
export interface Postgres {
  /** Nobody else is called so: tells our own notifications from those of others. */
  readonly name: string;
  /** One statement, prepared once per text and connection. */
  readonly query: PgQuery;
  /** On one connection, all or nothing; a rejection rolls back. */
  transaction<T>(body: (query: PgQuery) => Promise<T>): Promise<T>;
  /** Several statements, no parameters: migrations. */
  exec(script: string): Promise<void>;
  /** Hears what is notified on the channel, until `close`. `null`: the connection was lost meanwhile, so something may have been missed. */
  listen(channel: string, onPayload: (payload: string | null) => void): Promise<void>;
  close(): Promise<void>;
}
