import { importJWK, jwtVerify } from "jose";
import type { Clock, Ids, Sql } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { Role } from "@smooth/protocol/gateway";
import { ViewerAssertion, type PublicJwk } from "@smooth/protocol/host-sync";
import { SESSION_PATH } from "../wire.ts";
import { digest, mintSecret } from "./auth.ts";

/** Sessions of people who are not at this machine: by a link the owner made, or by the dashboard's word.
 *  S1. A secret leaves once; at rest there is only its hash.
 *  S2. A link signs in one person, once. An assertion too (`jti`).
 *  S3. An ended, expired or revoked session is nobody from the next question on. */

export interface Session {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly expiresAtMs: number;
}
export interface SignedIn {
  readonly session: Session;
  /** Goes into the cookie. */
  readonly secret: string;
}

export interface Sessions {
  createLink(link: { readonly role: Role; readonly ttlMs: number; readonly by: string }): {
    secret: string;
    expiresAtMs: number;
  };
  /** UNAUTHENTICATED when the link is unknown, used or expired: the same words for all three. */
  redeemLink(secret: string): SignedIn;
  /** UNAUTHENTICATED when the assertion is not the dashboard's, not for this host, stale, or used. */
  redeemAssertion(jws: string): Promise<SignedIn>;
  find(secret: string): Session | null;
  list(): Session[];
  /** One session by id, or all of a person by name. Returns how many ended. */
  revoke(who: { readonly id: string } | { readonly name: string }): number;
  /** Every session and every unused link. */
  revokeAll(): void;
}

/** The link a person opens. The secret is in the fragment: it reaches no server log and no `Referer`. */
export const sessionLink = (origin: string, secret: string): string => `${origin}${SESSION_PATH}#link=${secret}`;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS session_link (
  hash BLOB PRIMARY KEY, role TEXT NOT NULL, made_by TEXT NOT NULL, expires_at_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS session (
  hash BLOB PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, role TEXT NOT NULL, expires_at_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS used_assertion (jti TEXT PRIMARY KEY, expires_at_ms INTEGER NOT NULL) STRICT;
`;
const SESSION_TTL_MS = 12 * 3_600_000;
const ASSERTION_MAX_S = 60;
const CLOCK_SKEW_S = 5;

interface SessionDeps {
  readonly sql: Sql;
  readonly clock: Pick<Clock, "now">;
  readonly ids: Ids;
  /** null while this host is not paired. */
  readonly dashboard: () => { readonly key: PublicJwk; readonly hostId: string } | null;
}

export function openSessions(deps: SessionDeps): Sessions {
  deps.sql.exec(SCHEMA);
  return new SqlSessions(deps);
}

class SqlSessions implements Sessions {
  readonly #deps: SessionDeps;

  constructor(deps: SessionDeps) {
    this.#deps = deps;
  }

  createLink({ role, ttlMs, by }: { role: Role; ttlMs: number; by: string }): { secret: string; expiresAtMs: number } {
    const secret = mintSecret();
    const expiresAtMs = this.#nowMs + ttlMs;
    this.#forgetStale();
    this.#deps.sql.run("INSERT INTO session_link (hash, role, made_by, expires_at_ms) VALUES (?, ?, ?, ?)", [
      digest(secret), // S1
      role,
      by,
      expiresAtMs,
    ]);
    return { secret, expiresAtMs };
  }

  redeemLink(secret: string): SignedIn {
    const { sql, ids } = this.#deps;
    return sql.transaction(() => {
      const link = sql.get("DELETE FROM session_link WHERE hash = ? AND expires_at_ms > ? RETURNING role", [
        digest(secret),
        this.#nowMs,
      ]);
      if (link) return this.#start(`guest ${ids.next("g").slice(-4)}`, Role.parse(link["role"])); // S2
      throw new SmoothError("UNAUTHENTICATED", "this link was used already or has expired; ask for a new one");
    });
  }

  async redeemAssertion(jws: string): Promise<SignedIn> {
    const { sql, dashboard } = this.#deps;
    const { name, role, jti, exp } = await verifyAssertion(jws, dashboard(), this.#nowMs);
    return sql.transaction(() => {
      this.#forgetStale();
      const { changes } = sql.run("INSERT OR IGNORE INTO used_assertion (jti, expires_at_ms) VALUES (?, ?)", [
        jti,
        (exp + CLOCK_SKEW_S + 1) * 1_000,
      ]);
      if (changes === 1) return this.#start(name, role); // S2
      throw new SmoothError(
        "UNAUTHENTICATED",
        "this sign-in was used already; open the session from the dashboard again",
      );
    });
  }

  find(secret: string): Session | null {
    const row = this.#deps.sql.get("SELECT * FROM session WHERE hash = ? AND expires_at_ms > ?", [
      digest(secret),
      this.#nowMs,
    ]);
    return row ? toSession(row) : null; // S3
  }

  list(): Session[] {
    const rows = this.#deps.sql.all("SELECT * FROM session WHERE expires_at_ms > ? ORDER BY rowid", [this.#nowMs]);
    return rows.map(toSession);
  }

  revoke(who: { readonly id: string } | { readonly name: string }): number {
    const { sql } = this.#deps;
    if ("id" in who) return sql.run("DELETE FROM session WHERE id = ?", [who.id]).changes;
    return sql.run("DELETE FROM session WHERE name = ?", [who.name]).changes;
  }

  revokeAll(): void {
    this.#deps.sql.exec("DELETE FROM session; DELETE FROM session_link;");
  }

  get #nowMs(): number {
    return this.#deps.clock.now();
  }

  #start(name: string, role: Role): SignedIn {
    const secret = mintSecret();
    const session = { id: this.#deps.ids.next("session"), name, role, expiresAtMs: this.#nowMs + SESSION_TTL_MS };
    this.#deps.sql.run("INSERT INTO session (hash, id, name, role, expires_at_ms) VALUES (?, ?, ?, ?, ?)", [
      digest(secret), // S1
      session.id,
      name,
      role,
      session.expiresAtMs,
    ]);
    return { session, secret };
  }

  #forgetStale(): void {
    for (const table of ["session_link", "session", "used_assertion"]) {
      this.#deps.sql.run(`DELETE FROM ${table} WHERE expires_at_ms <= ?`, [this.#nowMs]);
    }
  }
}

const toSession = (row: Record<string, unknown>): Session => ({
  id: String(row["id"]),
  name: String(row["name"]),
  role: Role.parse(row["role"]),
  expiresAtMs: Number(row["expires_at_ms"]),
});

async function verifyAssertion(
  jws: string,
  dashboard: ReturnType<SessionDeps["dashboard"]>,
  nowMs: number,
): Promise<ViewerAssertion> {
  if (dashboard === null) throw new SmoothError("UNAUTHENTICATED", "this host is not paired with a dashboard");
  try {
    const { payload } = await jwtVerify(jws, await importJWK(dashboard.key, "EdDSA"), {
      algorithms: ["EdDSA"],
      audience: dashboard.hostId,
      currentDate: new Date(nowMs),
      clockTolerance: CLOCK_SKEW_S,
      maxTokenAge: ASSERTION_MAX_S,
    });
    const assertion = ViewerAssertion.parse(payload);
    if (assertion.exp - assertion.iat > ASSERTION_MAX_S) throw new TypeError("lives longer than 60 s");
    return assertion;
  } catch (error) {
    throw new SmoothError(
      "UNAUTHENTICATED",
      "the dashboard's word for you does not hold here; open the session again",
      {
        cause: error,
      },
    );
  }
}
