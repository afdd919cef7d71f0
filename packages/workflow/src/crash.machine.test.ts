/** kill -9 a real process around its commits, start another one, and look at what is on disk.
 *  Here every workflow is killed once at a fifth of its points; `CRASH_POINTS=5000 vitest run crash` kills runs up to three times,
 *  at points drawn from `CRASH_SEED`. */
import process from "node:process";
import { seededRandom } from "@smooth/platform/testing";
import { describe, expect, test } from "vitest";
import { crash, undisturbed, type Whole } from "./testing/crash-run.ts";

const WORKFLOWS = [
  "chain",
  "fan",
  "operator",
  "undo",
  "pages",
  "parent",
  "waits",
  "rounds",
  "trees",
  "cached",
  "gated",
  "quota",
  "taken",
  "asks",
  "choices",
  "spending",
] as const;
const wholes = new Map<string, Whole>();
for (const workflow of WORKFLOWS) wholes.set(workflow, await undisturbed(workflow));
const wholeOf = (workflow: string): Whole => wholes.get(workflow) ?? { recorded: [], points: 0 };

/** What people decide at different times is not compared. */
const comparable = (recorded: Whole["recorded"]) =>
  recorded.filter(([key]) => !key.includes(" merge")).toSorted(([a], [b]) => a.localeCompare(b));

describe.each(WORKFLOWS)("%s, killed at a commit", (workflow) => {
  const { recorded, points } = wholeOf(workflow);
  // Every fifth point, by turns before and after a commit, in each workflow from another one on.
  const all = Array.from({ length: points }, (_, at) => at);
  const chosen = all.filter((at) => at % 5 === WORKFLOWS.indexOf(workflow) % 5);

  test.each(chosen)("point %i: another process finishes it and repeats no recorded step", async (point) => {
    const crashed = await crash(workflow, [point]);

    // Tokens are recorded with their result or right before it, and a slow process finds that its allowance is back already:
    // who has less to record ends before a late point, and then nobody was killed.
    const cameThere = crashed.killed === 1 || crashed.points > point;
    expect(crashed).toMatchObject({ killed: cameThere ? 1 : 0, broken: [] });
    expect(comparable(crashed.recorded)).toEqual(comparable(recorded));
  });
});

const many = Number(process.env["CRASH_POINTS"] ?? 50);

test(`${many} kills, up to three in one run`, { timeout: 0 }, async () => {
  const random = seededRandom(Number(process.env["CRASH_SEED"] ?? 1));
  let killed = 0;
  for (let at = 0; killed < many; at += 1) {
    const workflow = WORKFLOWS[at % WORKFLOWS.length] ?? WORKFLOWS[0];
    const { recorded, points } = wholeOf(workflow);
    const kills = Array.from({ length: 1 + Math.floor(random() * 3) }, () => Math.floor(random() * points));
    const crashed = await crash(workflow, kills);
    killed += crashed.killed;
    const said = { workflow, kills, broken: crashed.broken, recorded: comparable(crashed.recorded) };
    expect(said).toEqual({ workflow, kills, broken: [], recorded: comparable(recorded) });
  }
  process.stdout.write(`killed ${killed} processes\n`);
});
