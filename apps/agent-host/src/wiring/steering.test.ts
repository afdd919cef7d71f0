import { openSqlite } from "@smooth/platform/node/sqlite";
import type { ChatMessage } from "@smooth/protocol/operator";
import { expect, test } from "vitest";
import { Steering } from "./steering.ts";

const RUN = "run-aaaaaa";
const said = (id: string): ChatMessage => ({ role: "user", content: id, steerId: id });

test("W1: the same words come once, with what belongs to them", () => {
  const steering = new Steering(openSqlite(":memory:"));
  let told = 0;
  const keep = () => steering.keep(RUN, { id: "s1", text: "left" }, () => (told += 1));

  expect([keep(), keep()]).toEqual([true, false]);
  expect(told).toBe(1);
});

test("W1: words whose telling failed were not taken", () => {
  const steering = new Steering(openSqlite(":memory:"));
  const fail = (): never => {
    throw new Error("disk full");
  };

  expect(() => steering.keep(RUN, { id: "s1", text: "left" }, fail)).toThrow("disk full");
  expect(steering.missingIn([], RUN)).toEqual([]);
});

test("W2: what the conversation holds was delivered; the rest follows in the order it was said", () => {
  const steering = new Steering(openSqlite(":memory:"));
  for (const id of ["s1", "s2", "s3"]) steering.keep(RUN, { id, text: id }, () => undefined);
  steering.keep("run-bbbbbb", { id: "s4", text: "for another run" }, () => undefined);

  expect(steering.missingIn([{ role: "user", content: "s1" }, said("s2")], RUN)).toEqual([
    { id: "s1", text: "s1" },
    { id: "s3", text: "s3" },
  ]);
});
