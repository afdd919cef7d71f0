import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SmoothError } from "@smooth/protocol/errors";
import type { PromptCache } from "./prompt-cache.ts";

/** One Markdown file per prompt, to be read, edited and committed: `.smithers/cache/prompts/{slug}.md` by default. */
export class MarkdownPromptCache implements PromptCache {
  readonly #folder: string;

  constructor(folder = ".smithers/cache/prompts") {
    this.#folder = folder;
  }

  async read(slug: string): Promise<string | null> {
    try {
      return await readFile(this.#path(slug), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
  }

  /** All or nothing: a reader never sees half a prompt. */
  async write(slug: string, prompt: string): Promise<void> {
    const path = this.#path(slug);
    await mkdir(this.#folder, { recursive: true });
    await writeFile(`${path}.new`, prompt);
    await rename(`${path}.new`, path);
  }

  #path(slug: string): string {
    if (!/^[a-z0-9][a-z0-9-]*$/.test(slug))
      throw new SmoothError(
        "INVALID_INPUT",
        `a prompt's slug is lower case words with dashes, not ${JSON.stringify(slug)}`,
      );
    return join(this.#folder, `${slug}.md`);
  }
}
