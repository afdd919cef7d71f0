import { expect, test } from "vitest";
import { PearlId } from "@smooth/protocol/ids";
import { NewPearl } from "@smooth/protocol/pearls";
import type { PearlFact, PearlStore } from "./store.ts";

interface Bench {
  readonly store: PearlStore;
  readonly facts: PearlFact[];
  readonly advance: (ms: number) => Promise<void>;
}

/** What every PearlStore does. */
export function runPearlStoreContract(open: () => Bench): void {
  const wish = (title: string, rest: object = {}): NewPearl => NewPearl.parse({ title, repo: "/repo", ...rest });

  test("a created pearl comes back whole, with an id people can type", () => {
    const { store } = open();
    const pearl = store.create(wish("Fix the login", { labels: ["web"], budgetUsd: 2 }), "ada");

    expect(pearl).toMatchObject({
      title: "Fix the login",
      status: "open",
      priority: 2,
      labels: ["web"],
      closedAtMs: null,
    });
    expect(PearlId.safeParse(pearl.id).success).toBe(true);
    expect(store.get(pearl.id)).toEqual(pearl);
  });

  test("creating with the same id twice, or adopting what is known, keeps the first", () => {
    const { store, facts } = open();
    const id = PearlId.parse("th-fromweb1");
    const first = store.create(wish("first"), "ada", id);

    expect(store.create(wish("second"), "ada", id)).toEqual(first);
    expect(store.adopt({ ...first, title: "third" }, "ada")).toEqual(first);
    expect(facts).toHaveLength(1);
  });

  test("P1: one history row per changed field, with the true old value, and none for no change", async () => {
    const { store, advance } = open();
    const { id, createdAtMs } = store.create(wish("old", { labels: ["a"] }), "ada");
    await advance(5);

    store.change(id, { title: "new", labels: ["a", "b"], priority: 2 }, { by: "bob" });
    store.change(id, { title: "new" }, { by: "eve" });

    const stamp = { pearlId: id, by: "bob", atMs: createdAtMs + 5 };
    expect(store.detail(id).history).toEqual([
      { field: "title", before: '"old"', after: '"new"', ...stamp },
      { field: "labels", before: '["a"]', after: '["a","b"]', ...stamp },
    ]);
    expect(store.get(id).updatedAtMs).toBe(createdAtMs + 5);
  });

  test("closing stamps the moment and keeps the note; reopening clears it; closed work is not started", () => {
    const { store } = open();
    const { id } = store.create(wish("x"), "ada");
    const closed = store.change(id, { status: "closed" }, { by: "bob", note: "done in 1f2e" });

    expect(closed.closedAtMs).toBe(closed.updatedAtMs);
    expect(store.detail(id).comments).toMatchObject([{ author: "bob", body: "done in 1f2e" }]);
    expect(() => store.change(id, { status: "in_progress" }, { by: "bob" })).toThrow(/first make it open/);
    expect(store.change(id, { status: "open" }, { by: "bob" }).closedAtMs).toBeNull();
  });

  test("P2: comments come back byte for byte, in order, once per id", () => {
    const { store } = open();
    const { id } = store.create(wish("x"), "ada");
    const bodies = ["  spaces \r\n\ttabs\u0000nul ", "\ud83d\ude00 \ud800 e\u0301 \u00e9", "'; DROP TABLE pearl; --"];
    for (const [index, body] of bodies.entries()) store.comment(id, { by: "ada", body, id: `c${index}` });
    store.comment(id, { by: "ada", body: "again", id: "c0" });

    expect(store.detail(id).comments.map(({ body }) => body)).toEqual(bodies);
  });

  test("ready pearls: open, unblocked, by priority then age", async () => {
    const { store, advance } = open();
    const late = store.create(wish("late"), "ada");
    await advance(1);
    const later = store.create(wish("later"), "ada");
    const urgent = store.create(wish("urgent", { priority: 0 }), "ada");
    const blocked = store.create(wish("blocked", { priority: 0 }), "ada");
    store.link({ from: blocked.id, to: late.id, type: "blocks" });
    const ready = () => store.list({ ready: true, limit: 10 }).map(({ title }) => title);

    expect(ready()).toEqual(["urgent", "late", "later"]);
    expect(store.detail(blocked.id).blockedBy).toEqual([late.id]);
    store.change(late.id, { status: "closed" }, { by: "ada" });
    expect(ready()).toEqual(["urgent", "blocked", "later"]);
    expect(store.list({ ready: true, limit: 1 }).map(({ id }) => id)).toEqual([urgent.id]);
    expect(store.list({ status: "closed", ready: false, limit: 10 }).map(({ id }) => id)).toEqual([late.id]);
    expect(store.list({ ready: false, limit: 2 })).toHaveLength(2);
    expect(later.priority).toBe(2);
  });

  test("a cycle is refused by name and leaves no trace", () => {
    const { store, facts } = open();
    const [a, b, c] = ["a", "b", "c"].map((title) => store.create(wish(title), "ada").id) as [
      PearlId,
      PearlId,
      PearlId,
    ];
    store.link({ from: a, to: b, type: "blocks" });
    store.link({ from: b, to: c, type: "blocks" });
    const before = facts.length;
    store.link({ from: b, to: c, type: "blocks" });

    expect(() => store.link({ from: c, to: a, type: "blocks" })).toThrow(`${c} → ${a} → ${b} → ${c}`);
    expect(() => store.link({ from: a, to: a, type: "related" })).toThrow(/itself/);
    expect(() => store.link({ from: a, to: "th-nobody" as PearlId, type: "blocks" })).toThrow(/no pearl th-nobody/);
    expect(facts).toHaveLength(before);
    expect(store.closure(a).map(({ id }) => id)).toEqual([a, b, c]);
  });

  test("P3: every fact is recorded, and a recorder that fails undoes the change", () => {
    const { store, facts } = open();
    const { id } = store.create(wish("x"), "ada");
    store.change(id, { priority: 1 }, { by: "ada" });
    const kinds = facts.map(({ kind }) => kind);
    facts.push = () => {
      throw new TypeError("outbox is full");
    };

    expect(kinds).toEqual(["pearl", "pearl.change", "pearl"]);
    expect(() => store.change(id, { priority: 0 }, { by: "ada", note: "why" })).toThrow("outbox is full");
    expect(store.detail(id)).toMatchObject({ pearl: { priority: 1 }, comments: [], history: [{ after: "1" }] });
  });

  test("an unknown pearl says so", () => {
    const { store } = open();
    const nobody = PearlId.parse("th-nobody");
    for (const touch of [
      () => store.get(nobody),
      () => store.detail(nobody),
      () => store.closure(nobody),
      () => store.comment(nobody, { by: "a", body: "b" }),
      () => store.change(nobody, {}, { by: "a" }),
    ]) {
      expect(touch).toThrow(expect.objectContaining({ code: "PEARL_NOT_FOUND" }));
    }
  });
}
