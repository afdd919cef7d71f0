import { openSqlite } from "@smooth/platform/node/sqlite";
import { ManualClock } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { createRedactor } from "../narc/redact.ts";
import { openScribe } from "./scribe.ts";

const open = (maxRows?: number) => {
  const sql = openSqlite(":memory:");
  const redactor = createRedactor(["house-secret-123"]);
  return {
    sql,
    scribe: openScribe({
      sql,
      clock: new ManualClock(7),
      redact: (text) => redactor.redact(text).text,
      ...(maxRows === undefined ? {} : { maxRows }),
    }),
  };
};

test("events are read back in order, by run and by service", () => {
  const { scribe } = open();
  scribe.logFor("goalie").info("goalie.blocked", { runId: "run-1", port: 443, ok: false, note: undefined });
  scribe.logFor("wonk").warn("wonk.reloaded");
  expect(scribe.read({})).toEqual([
    {
      id: 1,
      atMs: 7,
      level: "info",
      service: "goalie",
      event: "goalie.blocked",
      fields: { runId: "run-1", port: 443, ok: false },
    },
    { id: 2, atMs: 7, level: "warn", service: "wonk", event: "wonk.reloaded", fields: {} },
  ]);
  expect(scribe.read({ runId: "run-1" })).toHaveLength(1);
  expect(scribe.read({ service: "wonk", afterId: 1 })).toHaveLength(1);
});

test("B1: no secret reaches the file", () => {
  const { scribe, sql } = open();
  scribe.logFor("x").error("failed with house-secret-123", {
    text: "key house-secret-123!",
    url: "postgres://u:hunter2pass@db.example.org/x",
  });
  const file = JSON.stringify(sql.all("SELECT * FROM scribe_events"));
  expect(file).not.toMatch(/house-secret-123|hunter2pass/);
  expect(file).toContain("[REDACTED:known-secret]");
});

test("B2: a broken store never breaks the caller, and the loss is counted", () => {
  const { scribe, sql } = open();
  sql.exec("DROP TABLE scribe_events");
  scribe.logFor("x").info("event");
  expect(scribe.lost()).toBe(1);
});

test("B3: the oldest events go first, and odd values are kept readable", () => {
  const { scribe } = open(50);
  const log = scribe.logFor("x");
  for (let turn = 1; turn <= 200; turn += 1) log.debug("tick", { turn, odd: turn === 200 ? Number.NaN : 0 });
  const kept = scribe.read({});
  expect(kept).toHaveLength(50);
  expect(kept.at(-1)?.fields).toEqual({ turn: 200, odd: "NaN" });
});
