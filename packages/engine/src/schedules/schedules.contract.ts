/** What every ScheduleStore must do. Each implementation's test calls this with a fresh store per test. */
import { beforeEach, expect, test } from "vitest";
import { KEPT_SLOTS, type Schedule, type ScheduleStore, type Slot } from "./port.ts";

const schedule = (scheduleId: string, change: Partial<Schedule> = {}): Schedule => ({
  scheduleId,
  workflow: "flow.tsx",
  pattern: "* * * * *",
  timezone: "Europe/Berlin",
  input: { text: "a\u0000b ✓", list: [1.5, null] },
  catchUp: "all",
  overlap: "cancel-previous",
  paused: false,
  maker: { userId: "ann", scopes: ["run:write"] },
  createdAtMs: 1_767_225_600_000,
  seenMs: 10,
  ...change,
});
const slot = (slotMs: number, change: Partial<Slot> = {}): Slot => ({
  scheduleId: "s",
  slotMs,
  state: "pending",
  runId: `run-${slotMs}`,
  ...change,
});

export function schedulesContract(openStore: () => ScheduleStore | Promise<ScheduleStore>): void {
  let store: ScheduleStore;
  beforeEach(async () => {
    store = await openStore();
  });
  const times = async (): Promise<readonly number[]> => (await store.slots("s")).map(({ slotMs }) => slotMs);

  test("a schedule comes back exactly, oldest first", async () => {
    const later = schedule("a", { createdAtMs: 1_767_225_600_001, paused: true, input: "text" });
    await store.add(later);
    await store.add(schedule("s"));

    expect(await store.list()).toEqual([schedule("s"), later]);
  });

  test("pausing lets go of what was due, and says whether there is such a schedule", async () => {
    await store.add(schedule("s"));

    expect([await store.setPaused("s", true, 50), await store.setPaused("none", true, 50)]).toEqual([true, false]);
    expect(await store.list()).toEqual([schedule("s", { paused: true, seenMs: 50 })]);
    await store.setPaused("s", false, 40);
    expect(await store.list()).toEqual([schedule("s", { seenMs: 50 })]);
  });

  test("H1: of two that open the same slots one writes them; what was let go is not written", async () => {
    await store.add(schedule("s"));
    const first = [slot(5), slot(20, { runId: "first" }), slot(30, { runId: "first" })];
    await Promise.all([store.open("s", first, 30), store.open("s", [slot(20), slot(30)], 30)]);
    await store.open("s", [slot(30), slot(40)], 40);

    expect(await times()).toEqual([40, 30, 20]);
    expect((await store.list())[0]?.seenMs).toBe(40);
  });

  test("H1: the slots of a schedule that is gone go with it, and no new ones come", async () => {
    await store.add(schedule("s"));
    await store.open("s", [slot(20)], 20);

    expect([await store.remove("s"), await store.remove("s")]).toEqual([true, false]);
    await store.open("s", [slot(30)], 30);
    expect([await times(), await store.list()]).toEqual([[], []]);
  });

  test("H3: time is taken back once: what was launched later stays and is not written again, the rest can be", async () => {
    await store.add(schedule("s"));
    await store.open("s", [slot(20), slot(30), slot(40), slot(50)], 60);
    await store.settle(slot(40), "launched");
    await store.settle(slot(50), "dropped");

    await store.takeBack("s", { fromMs: 60, toMs: 25 });
    await store.takeBack("s", { fromMs: 60, toMs: 10 });
    expect([await times(), (await store.list())[0]?.seenMs]).toEqual([[40, 20], 25]);
    await store.open("s", [slot(30), slot(40)], 45);
    expect((await store.slots("s")).map(({ slotMs, state }) => [slotMs, state])).toEqual([
      [40, "launched"],
      [30, "pending"],
      [20, "pending"],
    ]);
  });

  test("a slot is settled once", async () => {
    await store.add(schedule("s"));
    await store.open("s", [slot(20)], 20);
    await store.settle(slot(20), "launched");
    await store.settle(slot(20), "dropped");

    expect(await store.slots("s")).toEqual([slot(20, { state: "launched" })]);
  });

  test("H2: the newest settled slots stay, with all that is pending and the last that was launched", async () => {
    await store.add(schedule("s"));
    const old = [11, 12, 13, 14, 15].map((slotMs) => slot(slotMs));
    await store.open("s", old, 15);
    for (const [at, state] of (["dropped", "launched", "launched", "dropped"] as const).entries())
      await store.settle(old[at] ?? slot(0), state);
    const many = Array.from({ length: KEPT_SLOTS }, (_, at) => slot(1_000 + at));
    await store.open("s", many, 2_000);

    const kept = await times();
    expect(kept.slice(-3)).toEqual([1_000, 15, 13]);
    expect(kept).toHaveLength(KEPT_SLOTS + 2);
  });
}
