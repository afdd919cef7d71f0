/** Thousands of random workflows under random interleavings. `SIMULATIONS=20000 vitest run simulation` for the long run;
 *  `SEED=<n>` repeats one. */
import process from "node:process";
import { seededRandom } from "@smooth/platform/testing";
import { describe, expect, test } from "vitest";
import { randomSpec } from "./random-workflow.tsx";
import { simulate } from "./world.ts";

const count = Number(process.env["SIMULATIONS"] ?? 250);
const first = Number(process.env["SEED"] ?? 1);
const seeds = Array.from({ length: process.env["SEED"] ? 1 : count }, (_, at) => first + at);
const specOf = (seed: number) => randomSpec(seededRandom(seed));

describe(`${seeds.length} random workflows`, () => {
  test("owners die and are taken for dead: the same rows as in calm, and no recorded step runs again", async () => {
    for (const seed of seeds) {
      const calm = await simulate(specOf(seed), { seed, takeovers: 0 });
      const disturbed = await simulate(specOf(seed), { seed: seed + 1_000_000, takeovers: 4 });

      expect({ seed, ...calm }).toMatchObject({ seed, status: "finished", broken: [] });
      expect({ seed, ...disturbed, events: [] }).toEqual({ seed, ...calm, events: [] });
    }
  }, 600_000);

  test("a frame rendered only when something it read has changed tells the same story as one rendered always", async () => {
    for (const seed of seeds) {
      const tracked = await simulate(specOf(seed), { seed, takeovers: 1 });
      const always = await simulate(specOf(seed), { seed, takeovers: 1, render: "always" });

      expect({ seed, ...tracked }).toEqual({ seed, ...always });
    }
  }, 600_000);
});
