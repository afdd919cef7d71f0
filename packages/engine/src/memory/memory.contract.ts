import { ManualClock, memoryLog } from "@smooth/platform/testing";
import { describe, expect, test } from "vitest";
import { searchText, wordsOf, type MemoryBackend } from "./backend.ts";
import type { Embedder, MemoryNamespace } from "./port.ts";
import { memoryStore } from "./store.ts";

const REVIEW: MemoryNamespace = { kind: "workflow", id: "review" };
const OTHER: MemoryNamespace = { kind: "user", id: "review" };

/** A model that knows three meanings. */
const MEANINGS = [
  ["car", "automobile", "vehicle"],
  ["dog", "puppy"],
  ["rain", "storm"],
];
const meanings: Embedder = {
  model: "meanings",
  embed: async (texts) =>
    texts.map((text) => MEANINGS.map((group) => wordsOf(text).filter((word) => group.includes(word)).length)),
};

export function runMemoryContract(open: () => MemoryBackend): void {
  const make = (embedder?: Embedder) => {
    const clock = new ManualClock();
    const log = memoryLog();
    return { clock, log, store: memoryStore(open(), { clock, log, embedder }) };
  };

  describe("facts", () => {
    test("M1: the last write of a fact stays, with its metadata", async () => {
      const { store, clock } = make();

      await store.set(REVIEW, "style", "tabs");
      await store.set(REVIEW, "style", { indent: 2 }, { metadata: { by: "ann" } });

      expect(await store.get(REVIEW, "style")).toEqual({
        key: "style",
        value: { indent: 2 },
        metadata: { by: "ann" },
        createdAt: clock.now(),
      });
      expect(await store.list(REVIEW)).toHaveLength(1);
    });

    test("namespaces of one id and different kinds are apart", async () => {
      const { store } = make();
      await store.set(REVIEW, "style", "tabs");

      expect(await store.get(OTHER, "style")).toBeUndefined();
      expect(await store.list(OTHER)).toEqual([]);
      expect(await store.recall(OTHER, "tabs")).toEqual([]);
    });

    test("M1: a fact past its time is not there, before and after it is collected", async () => {
      const { store, clock } = make();
      await store.set(REVIEW, "build", "is green", { ttlMs: 1_000 });
      await store.set(REVIEW, "style", "green paint");

      await clock.advance(999);
      expect(await store.get(REVIEW, "build")).toMatchObject({ expiresAt: clock.now() + 1 });
      await clock.advance(1);

      expect(await store.get(REVIEW, "build")).toBeUndefined();
      expect(await store.list(REVIEW)).toMatchObject([{ key: "style" }]);
      expect(await store.recall(REVIEW, "green")).toMatchObject([{ key: "style" }]);
      expect(await store.deleteExpired()).toBe(1);
      expect(await store.deleteExpired()).toBe(0);
    });

    test("a fact written again lives by its new time", async () => {
      const { store, clock } = make();
      await store.set(REVIEW, "build", "red", { ttlMs: 10 });
      await store.set(REVIEW, "build", "green");

      await clock.advance(20);

      expect(await store.get(REVIEW, "build")).toMatchObject({ value: "green" });
    });

    test("a time to live that is none is refused: it would mean for ever, or not at all", async () => {
      const { store } = make();

      for (const ttlMs of [NaN, -1, 0, Infinity])
        await expect(store.set(REVIEW, "build", "red", { ttlMs })).rejects.toThrow("ttlMs is a positive number");
      expect(await store.list(REVIEW)).toEqual([]);
    });

    test("a deleted fact is gone from recall too", async () => {
      const { store } = make();
      await store.set(REVIEW, "style", "tabs");

      expect(await store.delete(REVIEW, "style")).toBe(true);
      expect(await store.delete(REVIEW, "style")).toBe(false);

      expect(await store.recall(REVIEW, "tabs")).toEqual([]);
    });

    test("what is not JSON is refused by the fact's name", async () => {
      const { store } = make();

      await expect(store.set(REVIEW, "fn", () => 1)).rejects.toMatchObject({ code: "INVALID_INPUT" });
      await expect(store.set(REVIEW, "big", 1n)).rejects.toThrow("the fact big");
    });
  });

  describe("recall", () => {
    test("M4: the fact that says more of the query, and its rarer words, comes first", async () => {
      const { store } = make();
      await store.set(REVIEW, "a", "the login page had a bug");
      await store.set(REVIEW, "b", "the auth token bug: auth tokens expired too early");
      await store.set(REVIEW, "c", "the colour of the page");
      await store.set(REVIEW, "d", "deploys go out on tuesday");

      const found = await store.recall(REVIEW, "auth bug");

      expect(found.map(({ key }) => key)).toEqual(["b", "a"]);
      expect((await store.recall(REVIEW, "auth bug", 1)).map(({ key }) => key)).toEqual(["b"]);
    });

    test("an old value of a fact is not found any more", async () => {
      const { store } = make();
      await store.set(REVIEW, "style", "tabs everywhere");
      await store.set(REVIEW, "style", "two spaces");

      expect(await store.recall(REVIEW, "tabs")).toEqual([]);
      expect(await store.recall(REVIEW, "spaces")).toHaveLength(1);
    });

    test("case, accents, quotes and operators of the search language are only text", async () => {
      const { store } = make();
      await store.set(REVIEW, "menu", { dish: "Crème Brûlée" });

      for (const query of ['creme" OR "x', "CREME AND NOT (", "brulee*", "key:creme"])
        expect(await store.recall(REVIEW, query)).toMatchObject([{ key: "menu" }]);
      for (const query of ["", "  ", '"', "()*"]) expect(await store.recall(REVIEW, query)).toEqual([]);
    });

    test("a word is found where nothing stands between words", async () => {
      const { store } = make();
      await store.set(REVIEW, "weather", "東京都の天気は晴れです");
      await store.set(REVIEW, "food", "ข้าวผัดกุ้ง 飯");

      for (const query of ["天気", "今日の天気", "晴れ"])
        expect(await store.recall(REVIEW, query)).toMatchObject([{ key: "weather" }]);
      for (const query of ["ผัด", "飯"]) expect(await store.recall(REVIEW, query)).toMatchObject([{ key: "food" }]);
      expect(await store.recall(REVIEW, "京天")).toEqual([]);
    });

    test("M4: with an embedder, another word of the same meaning is found", async () => {
      const { store } = make(meanings);
      await store.set(REVIEW, "a", "he drives an automobile");
      await store.set(REVIEW, "b", "the puppy sleeps");

      const found = await store.recall(REVIEW, "which car");

      expect(found.map(({ key }) => key)).toEqual(["a"]);
    });

    test("a fact that matches by word and by meaning stands before one that matches by one of them", async () => {
      const { store } = make(meanings);
      await store.set(REVIEW, "meaning", "an automobile stands outside in the street");
      await store.set(REVIEW, "both", "a car stands outside in the street");
      await store.set(REVIEW, "neither", "a puppy stands outside in the street");

      const found = await store.recall(REVIEW, "car");

      expect(found.map(({ key }) => key)).toEqual(["both", "meaning"]);
    });

    test("when the embedder fails, the fact is kept, found by its words, and the failure is logged", async () => {
      const { store, log } = make({ model: "broken", embed: () => Promise.reject(new Error("no route")) });

      await store.set(REVIEW, "style", "tabs");

      expect(await store.recall(REVIEW, "tabs")).toMatchObject([{ key: "style" }]);
      expect(log.lines).toMatchObject([{ event: "memory.embed.failed", fields: { model: "broken" } }]);
    });
  });

  describe("threads", () => {
    test("M2: messages come back in the order they were saved, the last ones by limit", async () => {
      const { store } = make();
      for (const content of ["one", "two", "three"]) await store.saveMessage("t", { role: "user", content });
      await store.saveMessage("other", { role: "assistant", content: "x" });

      expect((await store.getMessages("t")).map(({ content }) => content)).toEqual(["one", "two", "three"]);
      expect((await store.listMessages("t", 2)).map(({ content }) => content)).toEqual(["two", "three"]);
      expect(await store.threads()).toEqual(["other", "t"]);
      expect(await store.getMessages("nobody")).toEqual([]);
    });

    test.each([-1, 0, Number.NaN, 1.5, Infinity])("a limit, or a topK, of %s is refused by its name", async (value) => {
      const { store } = make();
      const refusal = (name: string) => ({ code: "INVALID_INPUT", message: expect.stringContaining(name) as string });

      await expect(store.listMessages("t", value)).rejects.toMatchObject(refusal(`limit of listMessages`));
      await expect(store.recall({ kind: "user", id: "ann" }, "tea", value)).rejects.toMatchObject(
        refusal(`topK of recall must be a whole number ≥ 1, not ${value}`),
      );
    });

    test("replaced messages give way, and what came later stays behind them", async () => {
      const { store } = make();
      for (const content of ["one", "two", "three"]) await store.saveMessage("t", { role: "user", content });
      const [, two] = await store.getMessages("t");
      await store.saveMessage("t", { role: "user", content: "four" });

      const replaced = await store.replaceMessages("t", two!.seq, [{ role: "system", content: "sum" }]);

      expect(replaced).toBe(true);
      expect((await store.getMessages("t")).map(({ content }) => content)).toEqual(["sum", "three", "four"]);
      expect(await store.replaceMessages("t", 99, [])).toBe(false);
    });
  });

  test("M3: what a source remembered is not written twice, also when the fact changed meanwhile", async () => {
    const { store } = make();
    const memory = {
      fact: { namespace: REVIEW, key: "last", value: "first run" },
      thread: { id: "t", messages: [{ role: "assistant" as const, content: "done" }] },
    };

    expect(await store.remember("run-1:node::0", memory)).toBe("remembered");
    await store.set(REVIEW, "last", "second run");
    expect(await store.remember("run-1:node::0", memory)).toBe("known");

    expect(await store.get(REVIEW, "last")).toMatchObject({ value: "second run" });
    expect(await store.getMessages("t")).toHaveLength(1);
  });

  test("the words of a fact are those of its key and its value", () => {
    expect(wordsOf(searchText({ key: "open-bugs", value: { Näme: "Zoë" } }))).toEqual(["open", "bugs", "name", "zoe"]);
  });
}
