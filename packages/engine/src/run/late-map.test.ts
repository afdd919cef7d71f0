import { seededRandom } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { LateMap } from "./late-map.ts";

test.each([1, 2, 3])("whatever is done to it, it holds what a map would hold (seed %i)", (seed) => {
  const random = seededRandom(seed);
  const [late, plain] = [new LateMap<number, number>(), new Map<number, number>()];
  for (let step = 0; step < 200; step += 1) {
    const [key, deed] = [Math.floor(random() * 4), random()];
    const was = [late, plain].map((map) => {
      if (deed < 0.5) return map.set(key, step).size;
      return deed < 0.9 ? map.delete(key) : map.clear();
    });

    const seen: [number, number][] = [];
    late.forEach((value, at) => seen.push([at, value]));
    expect(was[0]).toBe(was[1]);
    expect([[...late], seen, [...late.entries()]]).toEqual([[...plain], [...plain], [...plain]]);
    expect([[...late.keys()], [...late.values()]]).toEqual([[...plain.keys()], [...plain.values()]]);
    expect([late.size, late.get(key), late.has(key)]).toEqual([plain.size, plain.get(key), plain.has(key)]);
  }
});
