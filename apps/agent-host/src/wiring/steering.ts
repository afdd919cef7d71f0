import type { Sql } from "@smooth/platform/ports";
import type { ChatMessage } from "@smooth/protocol/operator";

/** What people said to an operator, until a checkpoint holds it.
 *  W1. Words are a row before anybody is told that they were taken; a known id is no second row.
 *  W2. Whether words were delivered is not written anywhere: they were, when the latest checkpoint's conversation holds their
 *      id. So a crash at any moment neither loses nor doubles them. */

const SCHEMA = `
CREATE TABLE IF NOT EXISTS steering (
  n INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, id TEXT NOT NULL, text TEXT NOT NULL,
  UNIQUE (run_id, id)) STRICT;`;

export interface Words {
  readonly id: string;
  readonly text: string;
}

export class Steering {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
    sql.exec(SCHEMA);
  }

  /** Keeps the words and, in the same transaction, does what `also` says. False: these words are known. */
  keep(runId: string, { id, text }: Words, also: () => void): boolean {
    return this.#sql.transaction(() => {
      const { changes } = this.#sql.run(
        "INSERT INTO steering (run_id, id, text) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [runId, id, text],
      );
      if (changes > 0) also(); // W1
      return changes > 0;
    });
  }

  /** In the order they were said, what this conversation does not hold yet. */
  missingIn(conversation: readonly ChatMessage[], runId: string): Words[] {
    const held = new Set(conversation.map((message) => (message.role === "user" ? message.steerId : undefined))); // W2
    return this.#sql
      .all("SELECT id, text FROM steering WHERE run_id = ? ORDER BY n", [runId])
      .map((row) => ({ id: String(row["id"]), text: String(row["text"]) }))
      .filter(({ id }) => !held.has(id));
  }
}
