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
