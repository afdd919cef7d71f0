/** Where approved prompts are kept, by slug. */
import type { Sql } from "@smooth/platform/ports";

export interface PromptCache {
  read(slug: string): Promise<string | null>;
  write(slug: string, prompt: string): Promise<void>;
}

/** For tests: gone with the process. */
export class MemoryPromptCache implements PromptCache {
  readonly #prompts = new Map<string, string>();

  async read(slug: string): Promise<string | null> {
    return this.#prompts.get(slug) ?? null;
  }

  async write(slug: string, prompt: string): Promise<void> {
    this.#prompts.set(slug, prompt);
  }
}

/** In one SQLite file, which the caller opens and closes. */
export class SqlitePromptCache implements PromptCache {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
    sql.exec("CREATE TABLE IF NOT EXISTS prompt_cache (slug TEXT PRIMARY KEY, prompt TEXT NOT NULL) WITHOUT ROWID");
  }

  async read(slug: string): Promise<string | null> {
    const row = this.#sql.get("SELECT prompt FROM prompt_cache WHERE slug = ?", [slug]);
    return row ? String(row["prompt"]) : null;
  }

  async write(slug: string, prompt: string): Promise<void> {
    this.#sql.run("INSERT OR REPLACE INTO prompt_cache VALUES (?, ?)", [slug, prompt]);
  }
}
