import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { PgParam, PgQuery, Postgres, SqlRow } from "../ports.ts";

export interface PostgresOptions {
  /** Connections at once; each `listen` takes one more. */
  readonly maxConnections?: number;
}

type OnPayload = (payload: string | null) => void;

const RECONNECT_MS = 1_000;

/** Everything else stays text. */
const PARSERS: Readonly<Record<number, (text: string) => number>> = {
  [pg.types.builtins.INT8]: Number,
  [pg.types.builtins.INT4]: Number,
  [pg.types.builtins.FLOAT8]: Number,
  [pg.types.builtins.BOOL]: (text) => Number(text === "t"),
};
const types = { getTypeParser: (oid: number) => PARSERS[oid] ?? ((text: string) => text) };

/** `postgresql://…`. Connects when first asked. The caller closes it. */
export function openPostgres(url: string, { maxConnections = 10 }: PostgresOptions = {}): Postgres {
  const pool = new pg.Pool({ connectionString: url, max: maxConnections, types });
  // A connection that is cut, idle or in use, ends what was asked on it; the pool makes a new one when asked again.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  const queryOn = preparing();
  const ending = new AbortController();
  return {
    name: randomUUID(),
    query: queryOn(pool),
    exec: async (script) => void (await pool.query(script)),
    transaction: async (body) => {
      const client = await pool.connect();
      return await inTransaction(client, () => body(queryOn(client)));
    },
    listen: (channel, onPayload) => listen({ url, channel, onPayload, signal: ending.signal }),
    async close() {
      ending.abort();
      await pool.end();
    },
  };
}

function preparing(): (client: pg.Pool | pg.PoolClient) => PgQuery {
  const names = new Map<string, string>();
  const asked = (text: string, params: readonly PgParam[]) => {
    const name = names.get(text) ?? `s${names.size}`;
    names.set(text, name);
    return { name, text, values: [...params] };
  };
  return (client) =>
    async (text, params = []) =>
      (await client.query<SqlRow>(asked(text, params))).rows;
}

async function inTransaction<T>(client: pg.PoolClient, body: () => Promise<T>): Promise<T> {
  try {
    await client.query("BEGIN");
    const result = await body();
    await client.query("COMMIT");
    client.release();
    return result;
  } catch (error) {
    await client.query("ROLLBACK").then(
      () => client.release(),
      () => client.release(true), // the connection is broken, and with it the transaction
    );
    throw error;
  }
}

interface Listening {
  readonly url: string;
  readonly channel: string;
  readonly onPayload: OnPayload;
  readonly signal: AbortSignal;
}

async function listen({ url, channel, onPayload, signal }: Listening): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  const end = (): void => void client.end().catch(() => {});
  client.on("error", end);
  await client.connect();
  await client.query(`LISTEN ${client.escapeIdentifier(channel)}`);
  client.on("notification", ({ payload = "" }) => onPayload(payload));
  client.once("end", () => void listenAgain({ url, channel, onPayload, signal }));
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
}

async function listenAgain(listening: Listening): Promise<void> {
  while (!listening.signal.aborted) {
    try {
      await sleep(RECONNECT_MS, undefined, { signal: listening.signal });
      await listen(listening);
      return listening.onPayload(null);
    } catch {
      // the server is not back yet, or all is being closed
    }
  }
}
