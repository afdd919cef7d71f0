import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PearlId } from "@smooth/protocol/ids";
import type { Dependency, PearlStatus } from "@smooth/protocol/pearls";
import { checkLink, closureOf, openBlockers, readyIds, type PearlGraph } from "./graph.ts";

const id = (name: string): PearlId => `th-${name.padEnd(6, "0")}` as PearlId;
const link = (from: string, to: string, type: Dependency["type"] = "blocks"): Dependency => ({
  from: id(from),
  to: id(to),
  type,
});
const graph = (statuses: Record<string, PearlStatus>, dependencies: Dependency[] = []): PearlGraph => ({
  statuses: new Map(Object.entries(statuses).map(([name, status]) => [id(name), status])),
  dependencies,
});
const open = { a: "open", b: "open", c: "open", d: "open" } as const;

describe("checkLink", () => {
  test("names the whole cycle it would close", () => {
    const chain = graph(open, [link("a", "b"), link("b", "c"), link("c", "d")]);

    expect(checkLink(chain, link("d", "a"))).toEqual({
      kind: "cycle",
      path: [id("d"), id("a"), id("b"), id("c"), id("d")],
    });
  });

  test("refuses self and unknown ids", () => {
    expect(checkLink(graph(open), link("a", "a", "related"))).toEqual({ kind: "self" });
    expect(checkLink(graph(open), link("a", "x"))).toEqual({ kind: "unknown", id: id("x") });
    expect(checkLink(graph(open), link("x", "a"))).toEqual({ kind: "unknown", id: id("x") });
  });

  test("related pearls may point at each other; parents may not", () => {
    const linked = graph(open, [link("a", "b", "related"), link("a", "b", "parent-child")]);

    expect(checkLink(linked, link("b", "a", "related")).kind).toBe("ok");
    expect(checkLink(linked, link("b", "a", "parent-child")).kind).toBe("cycle");
    expect(checkLink(linked, link("b", "a", "blocks")).kind).toBe("ok");
  });

  test("whatever is linked in whatever order, blockers never form a cycle", () => {
    const names = ["a", "b", "c", "d", "e", "f"];
    const node = fc.constantFrom(...names);
    fc.assert(
      fc.property(fc.array(fc.tuple(node, node), { maxLength: 30 }), (pairs) => {
        let built = graph(Object.fromEntries(names.map((name) => [name, "open" as const])));
        for (const [from, to] of pairs) {
          const next = link(from, to);
          if (checkLink(built, next).kind === "ok") built = { ...built, dependencies: [...built.dependencies, next] };
        }
        const reachesItself = names.filter((name) => reach(built, id(name)).has(id(name)));
        expect(reachesItself).toEqual([]);
      }),
    );
  });
});

function reach({ dependencies }: PearlGraph, start: PearlId): Set<PearlId> {
  const seen = new Set<PearlId>();
  const visit = (from: PearlId): void => {
    for (const { to } of dependencies.filter((dependency) => dependency.from === from)) {
      if (seen.has(to)) continue;
      seen.add(to);
      visit(to);
    }
  };
  visit(start);
  return seen;
}

test("ready is open with every blocker closed; other links do not block", () => {
  const board = graph({ a: "open", b: "closed", c: "deferred", d: "open", e: "in_progress" }, [
    link("a", "b"),
    link("d", "c"),
    link("a", "c", "related"),
  ]);

  expect([...readyIds(board)]).toEqual([id("a")]);
  expect(openBlockers(board, id("d"))).toEqual([id("c")]);
  expect(openBlockers(board, id("a"))).toEqual([]);
});

test("G3: the closure reaches two dependencies deep, survives cycles, and ends there", () => {
  const linked = graph(open, [link("a", "b"), link("b", "c", "related"), link("c", "d"), link("b", "a", "related")]);

  expect(closureOf(linked, id("a"))).toEqual([id("a"), id("b"), id("c")]);
  expect(closureOf(linked, id("d"))).toEqual([id("d")]);
});
