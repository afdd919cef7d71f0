import { openSqlite } from "@smooth/platform/node/sqlite";
import { ManualClock } from "@smooth/platform/testing";
import { RunId } from "@smooth/protocol/ids";
import { expect, test } from "vitest";
import { RunLog } from "./run-log.ts";

const RUN = RunId.parse("run-00000001");

function openLog() {
  const log = new RunLog(openSqlite(":memory:"), new ManualClock());
  log.open({ runId: RUN, title: "Fix it", workflow: "pearl", pearlId: null, demo: true });
  return log;
}

test("numbers the events of a run from 1 without a gap", () => {
  const log = openLog();

  log.append(RUN, { type: "note", text: "a" }, { type: "note", text: "b" });

  expect(log.read(RUN, 0).map((event) => [event.seq, event.type])).toEqual([
    [1, "run.started"],
    [2, "note"],
    [3, "note"],
  ]);
});

test("opening a known run again keeps its history", () => {
  const log = openLog();

  log.open({ runId: RUN, title: "Other", workflow: "pearl", pearlId: null, demo: true });

  expect(log.summary(RUN)).toMatchObject({ title: "Fix it", lastSeq: 1, status: "running" });
});

test("a stream yields what was there and what comes later, each once, in order", async () => {
  const log = openLog();
  const stop = new AbortController();
  const seen: number[] = [];

  for await (const event of log.stream(RUN, 0, stop.signal)) {
    seen.push(event.seq);
    if (event.seq < 4) log.append(RUN, { type: "note", text: "more" });
    else stop.abort();
  }

  expect(seen).toEqual([1, 2, 3, 4]);
});

test("the outbox keeps counting after acknowledged rows are removed", () => {
  const log = openLog();
  log.append(RUN, { type: "note", text: "a" });

  log.acknowledge(2);
  log.append(RUN, { type: "note", text: "b" });

  expect(log.outbox(10).map((row) => [row.seq, row.record.kind])).toEqual([[3, "run.event"]]);
});

test("a host that enrols anew reports everything again from seq 1", () => {
  const log = openLog();
  log.append(RUN, { type: "note", text: "a" });
  log.acknowledge(2);

  log.restartOutbox([]);

  expect(log.outbox(10).map((row) => row.seq)).toEqual([1, 2]);
});

test("an event for an unknown run is refused by name and leaves nothing in the outbox", () => {
  const log = openLog();

  expect(() => log.append("run-99999999", { type: "note", text: "x" })).toThrow("no run run-99999999");

  expect(log.outbox(10)).toHaveLength(1);
});

test("asks and priced usage show in the summary", () => {
  const log = openLog();
  const usage = {
    type: "usage",
    slot: "smooth-coding",
    provider: "p",
    model: "m",
    inputTokens: 1,
    outputTokens: 1,
    estimated: false,
  } as const;

  log.append(RUN, { ...usage, costUsd: null });
  expect(log.summary(RUN)?.costUsd).toBeNull();
  log.append(RUN, { ...usage, costUsd: 0.25 }, { ...usage, costUsd: 0.5 });

  expect(log.summary(RUN)?.costUsd).toBe(0.75);
});
