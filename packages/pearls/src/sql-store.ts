import type { Clock, Ids, Sql } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { PearlId } from "@smooth/protocol/ids";
import { Dependency, Pearl, PearlChange, PearlComment, type NewPearl, type PearlStatus } from "@smooth/protocol/pearls";
import { checkLink, closureOf, openBlockers, readyIds, type PearlGraph } from "./graph.ts";
import { assertMove } from "./states.ts";
import type { PearlFact, PearlFile, PearlFilter, PearlPatch, PearlStore } from "./store.ts";

/** PearlStore on SQLite. What people write is kept as JSON text, so no byte of it is lost (P2); columns exist only to sort and filter. */

const SCHEMA = `
CREATE TABLE IF NOT EXISTS pearl (
  id TEXT PRIMARY KEY, status TEXT NOT NULL, priority INTEGER NOT NULL, created_at_ms INTEGER NOT NULL, doc TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS pearl_order ON pearl (priority, created_at_ms, id);
CREATE TABLE IF NOT EXISTS pearl_dependency (
  from_id TEXT NOT NULL REFERENCES pearl (id), to_id TEXT NOT NULL REFERENCES pearl (id), type TEXT NOT NULL,
  PRIMARY KEY (from_id, to_id, type)
) STRICT;
CREATE TABLE IF NOT EXISTS pearl_comment (
  n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, pearl_id TEXT NOT NULL REFERENCES pearl (id), doc TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS pearl_comment_of ON pearl_comment (pearl_id);
CREATE TABLE IF NOT EXISTS pearl_change (
  n INTEGER PRIMARY KEY, pearl_id TEXT NOT NULL REFERENCES pearl (id), doc TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS pearl_change_of ON pearl_change (pearl_id);
`;

interface PearlDeps {
  readonly clock: Pick<Clock, "now">;
  readonly ids: Ids;
  /** P3: called inside the transaction. */
  readonly record?: (fact: PearlFact) => void;
}

/** The caller keeps and closes `sql`. */
export function openPearlStore(sql: Sql, deps: PearlDeps): PearlStore {
  sql.exec(SCHEMA);
  return new SqlPearlStore(sql, deps);
}

class SqlPearlStore implements PearlStore {
  readonly #sql: Sql;
  readonly #clock: Pick<Clock, "now">;
  readonly #ids: Ids;
  readonly #record: (fact: PearlFact) => void;

  constructor(sql: Sql, { clock, ids, record = () => {} }: PearlDeps) {
    this.#sql = sql;
    this.#clock = clock;
    this.#ids = ids;
    this.#record = record;
  }

  create(input: NewPearl, by: string, id: PearlId = PearlId.parse(this.#ids.next("th"))): Pearl {
    const nowMs = this.#clock.now();
    return this.adopt({ ...input, id, status: "open", createdAtMs: nowMs, updatedAtMs: nowMs, closedAtMs: null }, by);
  }

  adopt(pearl: Pearl, by: string): Pearl {
    return this.#sql.transaction(() => this.#find(pearl.id) ?? this.#write(pearl, by));
  }

  get(id: PearlId): Pearl {
    const pearl = this.#find(id);
    if (pearl) return pearl;
    throw new SmoothError("PEARL_NOT_FOUND", `no pearl ${id}; see them with \`th pearls list\``, { details: { id } });
  }

  list({ status, ready, limit }: PearlFilter): Pearl[] {
    const wanted = ready ? "open" : (status ?? null);
    if (ready && status !== undefined && status !== "open") return [];
    const rows = this.#sql.all(
      "SELECT doc FROM pearl WHERE ?1 IS NULL OR status = ?1 ORDER BY priority, created_at_ms, id LIMIT ?2",
      [wanted, ready ? -1 : limit],
    );
    const pearls = rows.map(({ doc }) => Pearl.parse(json(doc)));
    if (!ready) return pearls;
    const free = readyIds(this.#graph());
    return pearls.filter(({ id }) => free.has(id)).slice(0, limit);
  }

  change(id: PearlId, patch: PearlPatch, { by, note = "" }: { by: string; note?: string }): Pearl {
    return this.#sql.transaction(() => {
      const before = this.get(id);
      assertMove(id, before.status, patch.status ?? before.status);
      const atMs = this.#clock.now();
      const changes = differences(before, patch).map((change) => ({ ...change, pearlId: id, by, atMs }));
      if (note !== "") this.comment(id, { by, body: note });
      if (changes.length === 0) return before;
      const after = Pearl.parse({ ...before, ...patch, updatedAtMs: atMs });
      const closedAtMs = after.status === "closed" ? (before.closedAtMs ?? atMs) : null;
      for (const change of changes) this.#append(change);
      return this.#write({ ...after, closedAtMs }, by);
    });
  }

  comment(pearlId: PearlId, { by, body, id }: { by: string; body: string; id?: string }): PearlComment {
    return this.#sql.transaction(() => {
      this.get(pearlId);
      const known = id === undefined ? undefined : this.#sql.get("SELECT doc FROM pearl_comment WHERE id = ?", [id]);
      if (known) return PearlComment.parse(json(known["doc"]));
      const comment = { id: id ?? this.#ids.next("comment"), pearlId, author: by, body, atMs: this.#clock.now() };
      this.#sql.run("INSERT INTO pearl_comment (id, pearl_id, doc) VALUES (?, ?, ?)", [
        comment.id,
        pearlId,
        JSON.stringify(comment),
      ]);
      this.#record({ kind: "pearl.comment", comment });
      return comment;
    });
  }

  link(dependency: Dependency): void {
    this.#sql.transaction(() => {
      refuseBadLink(this.#graph(), dependency);
      const { changes } = this.#sql.run(
        "INSERT OR IGNORE INTO pearl_dependency (from_id, to_id, type) VALUES (?, ?, ?)",
        [dependency.from, dependency.to, dependency.type],
      );
      if (changes > 0) this.#record({ kind: "pearl.dependency", dependency });
    });
  }

  detail(id: PearlId): PearlFile {
    const docs = (table: "pearl_comment" | "pearl_change") =>
      this.#sql.all(`SELECT doc FROM ${table} WHERE pearl_id = ? ORDER BY n`, [id]).map(({ doc }) => json(doc));
    const graph = this.#graph();
    return {
      pearl: this.get(id),
      comments: docs("pearl_comment").map((doc) => PearlComment.parse(doc)),
      history: docs("pearl_change").map((doc) => PearlChange.parse(doc)),
      dependencies: graph.dependencies.filter(({ from, to }) => from === id || to === id),
      blockedBy: openBlockers(graph, id),
    };
  }

  closure(id: PearlId): Pearl[] {
    this.get(id);
    return closureOf(this.#graph(), id).map((member) => this.get(member));
  }

  #find(id: PearlId): Pearl | undefined {
    const row = this.#sql.get("SELECT doc FROM pearl WHERE id = ?", [id]);
    return row && Pearl.parse(json(row["doc"]));
  }

  #write(pearl: Pearl, by: string): Pearl {
    this.#sql.run(
      `INSERT INTO pearl (id, status, priority, created_at_ms, doc) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET status = excluded.status, priority = excluded.priority, doc = excluded.doc`,
      [pearl.id, pearl.status, pearl.priority, pearl.createdAtMs, JSON.stringify(pearl)],
    );
    this.#record({ kind: "pearl", pearl, by });
    return pearl;
  }

  #append(change: PearlChange): void {
    this.#sql.run("INSERT INTO pearl_change (pearl_id, doc) VALUES (?, ?)", [change.pearlId, JSON.stringify(change)]);
    this.#record({ kind: "pearl.change", change });
  }

  #graph(): PearlGraph {
    const statuses = this.#sql
      .all("SELECT id, status FROM pearl")
      .map(({ id, status }) => [id as PearlId, status as PearlStatus] as const);
    const links = this.#sql.all('SELECT from_id AS "from", to_id AS "to", type FROM pearl_dependency ORDER BY rowid');
    return { statuses: new Map(statuses), dependencies: links.map((row) => Dependency.parse(row)) };
  }
}

const json = (text: unknown): unknown => JSON.parse(String(text));

/** P1: only what is really different. */
function differences(before: Pearl, patch: PearlPatch): { field: string; before: string; after: string }[] {
  return Object.entries(patch)
    .filter(([, value]) => value !== undefined)
    .map(([field, value]) => ({
      field,
      before: JSON.stringify(before[field as keyof PearlPatch]),
      after: JSON.stringify(value),
    }))
    .filter((change) => change.before !== change.after);
}

function refuseBadLink(graph: PearlGraph, link: Dependency): void {
  const verdict = checkLink(graph, link);
  switch (verdict.kind) {
    case "ok":
      return;
    case "self":
      throw new SmoothError("PEARL_CYCLE", `${link.from} cannot depend on itself`, {
        details: { cycle: [link.from, link.from] },
      });
    case "unknown":
      throw new SmoothError("PEARL_NOT_FOUND", `no pearl ${verdict.id}; see them with \`th pearls list\``, {
        details: { id: verdict.id },
      });
    case "cycle":
      throw new SmoothError("PEARL_CYCLE", `this would close a cycle: ${verdict.path.join(" → ")}`, {
        details: { cycle: verdict.path },
      });
  }
}
