import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { ManualClock, memoryLog } from "@smooth/platform/testing";
import { describe, expect, test } from "vitest";
import type { GenerateArgs } from "../task/body.ts";
import { memoryBackend } from "./memory-backend.ts";
import { runMemoryContract } from "./memory.contract.ts";
import { namespaceToString, parseNamespace } from "./namespace.ts";
import { Summarizer, TokenLimiter, TtlGarbageCollector } from "./processors.ts";
import { sqliteMemoryBackend } from "./sqlite-backend.ts";
import { memoryStore } from "./store.ts";

describe("memory in memory", () => runMemoryContract(memoryBackend));
describe("memory in SQLite", () => runMemoryContract(() => sqliteMemoryBackend(openSqlite(":memory:"))));

const NS = { kind: "agent", id: "ann" } as const;
const openStore = (clock = new ManualClock()) => ({
  clock,
  store: memoryStore(memoryBackend(), { clock, log: memoryLog() }),
});

test("a SQLite memory outlives the process that wrote it, vectors included", async () => {
  const dir = mkdtempSync(join(tmpdir(), "memory-"));
  const embedder = {
    model: "m",
    embed: async (texts: readonly string[]) => texts.map((text) => [text.includes("cat") ? 1 : 0, 1]),
  };
  const open = () => {
    const sql = openSqlite(join(dir, "smithers.db"));
    return {
      sql,
      store: memoryStore(sqliteMemoryBackend(sql), { clock: new ManualClock(), log: memoryLog(), embedder }),
    };
  };
  const first = open();
  await first.store.set(NS, "pet", "a cat");
  await first.store.saveMessage("t", { role: "user", content: "hello" });
  first.sql.close();

  const second = open();

  expect(await second.store.recall(NS, "cats")).toMatchObject([{ key: "pet", value: "a cat" }]);
  expect(await second.store.getMessages("t")).toMatchObject([{ content: "hello" }]);
  second.sql.close();
  rmSync(dir, { recursive: true });
});

test("namespaces are text and back, whatever is in the id", () => {
  for (const id of ["review", "task:subtask:0", "100%", "%3A", "a b"])
    expect(parseNamespace(namespaceToString({ kind: "workflow", id }))).toEqual({ kind: "workflow", id });
  expect(namespaceToString({ kind: "workflow", id: "a:b" })).toBe("workflow:a%3Ab");
  for (const wrong of ["review", "workflow:", "team:x", ""])
    expect(() => parseNamespace(wrong)).toThrow("memory namespace");
});

describe("processors", () => {
  test("TtlGarbageCollector removes what is past its time", async () => {
    const { store, clock } = openStore();
    await store.set(NS, "a", 1, { ttlMs: 5 });
    await clock.advance(5);

    await TtlGarbageCollector().process(store);

    expect(await store.deleteExpired()).toBe(0);
  });

  test("TokenLimiter forgets the oldest messages, and never the last", async () => {
    const { store } = openStore();
    for (const content of ["a".repeat(40), "b".repeat(40), "c".repeat(40)])
      await store.saveMessage("long", { role: "user", content });
    await store.saveMessage("huge", { role: "user", content: "x".repeat(4_000) });
    await store.saveMessage("short", { role: "user", content: "hi" });

    await TokenLimiter(20).process(store);

    expect((await store.getMessages("long")).map(({ content }) => content[0])).toEqual(["b", "c"]);
    expect(await store.getMessages("huge")).toHaveLength(1);
    expect(await store.getMessages("short")).toHaveLength(1);
  });

  test.each([-1, Number.NaN, 1.5])("what a processor cannot count with is refused: %s", (count) => {
    const refusal = expect.objectContaining({ code: "INVALID_INPUT" }) as Error;
    expect(() => TokenLimiter(count)).toThrow(refusal);
    expect(() => Summarizer({ generate: async () => ({ text: "" }) }, { keepLast: count })).toThrow(refusal);
  });

  test("TokenLimiter counts what is not ASCII by the letter", async () => {
    const { store } = openStore();
    for (const content of ["天".repeat(10), "é".repeat(10)]) await store.saveMessage("t", { role: "user", content });

    await TokenLimiter(19).process(store);

    expect((await store.getMessages("t")).map(({ content }) => content[0])).toEqual(["é"]);
  });

  test("Summarizer puts one summary where the old messages stood; what is said meanwhile stays", async () => {
    const { store } = openStore();
    for (let at = 1; at <= 6; at += 1) await store.saveMessage("t", { role: "user", content: `message ${at}` });
    const asked: string[] = [];
    const agent = {
      generate: async ({ prompt }: GenerateArgs) => {
        asked.push(prompt);
        await store.saveMessage("t", { role: "user", content: "meanwhile" });
        return { text: "They spoke of six things." };
      },
    };

    await Summarizer(agent, { keepLast: 2 }).process(store);

    expect((await store.getMessages("t")).map(({ role, content }) => `${role}: ${content}`)).toEqual([
      "system: They spoke of six things.",
      "user: message 5",
      "user: message 6",
      "user: meanwhile",
    ]);
    expect(asked[0]).toContain("user: message 4");
    expect(asked[0]).not.toContain("message 5");
  });

  test("Summarizer leaves a thread that changed under it", async () => {
    const { store } = openStore();
    for (let at = 1; at <= 4; at += 1) await store.saveMessage("t", { role: "user", content: `message ${at}` });
    const agent = {
      generate: async () => {
        await TokenLimiter(1).process(store);
        return "a summary of what is gone";
      },
    };

    await Summarizer(agent, { keepLast: 1 }).process(store);

    expect((await store.getMessages("t")).map(({ content }) => content)).toEqual(["message 4"]);
  });
});
