/** ExtractPrompt over every kind of cache. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { afterAll, describe, expect, test } from "vitest";
import { h } from "../jsx-runtime.ts";
import { ExtractPrompt } from "./extract-prompt.ts";
import { MarkdownPromptCache } from "./markdown-prompt-cache.node.ts";
import { MemoryPromptCache, SqlitePromptCache } from "./prompt-cache.ts";
import { agent, outputs, runToEnd } from "./testing.ts";

describe("ExtractPrompt", () => {
  const folder = mkdtempSync(join(tmpdir(), "prompts-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each([
    ["memory", () => new MemoryPromptCache()],
    ["SQLite", () => new SqlitePromptCache(openSqlite(":memory:"))],
    ["Markdown files", () => new MarkdownPromptCache(folder)],
  ])("drafts until the critic is sure, keeps the prompt in %s, and uses it at once the next time", async (_, open) => {
    const drafter = agent((__, asked) => ({ prompt: `prompt ${asked}` }));
    const critic = agent((__, asked) => ({ score: asked === 1 ? 0.5 : 0.8 }));
    const common = { slug: "triage", drafter, critic, cache: open(), children: "Triage tickets." };
    const places = { draftOutput: outputs.made, critiqueOutput: outputs.judged, promptOutput: outputs.done };
    const extract = () => runToEnd(() => h(ExtractPrompt, { ...common, ...places }));

    const first = await extract();
    expect(first.result.status).toBe("finished");
    expect(await first.row("done", "extract-prompt-keep")).toMatchObject({ prompt: "prompt 2", found: true });

    const second = await extract();
    expect(second.finished()).toEqual(["extract-prompt-recall#0"]);
    expect(await second.row("done", "extract-prompt-recall")).toMatchObject({ prompt: "prompt 2" });
  });

  test("high stakes want certainty; what never gets there is not kept", async () => {
    const cache = new MemoryPromptCache();
    const critic = agent(() => ({ score: 0.9 }));
    const common = { slug: "triage", drafter: agent(() => ({ prompt: "?" })), critic, cache, children: "Triage." };
    const places = { draftOutput: outputs.made, critiqueOutput: outputs.judged, promptOutput: outputs.done };

    await runToEnd(() => h(ExtractPrompt, { ...common, ...places, stakes: "high", maxIterations: 2 }));

    expect(critic.prompts).toHaveLength(2);
    expect(await cache.read("triage")).toBeNull();
  });

  test("a slug cannot leave the folder", async () => {
    await expect(new MarkdownPromptCache(folder).write("../x", "")).rejects.toMatchObject({ code: "INVALID_INPUT" });
  });
});
