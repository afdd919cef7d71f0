import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { countingIds, ManualClock } from "@smooth/platform/testing";
import { NewPearl } from "@smooth/protocol/pearls";
import { openPearlStore } from "./sql-store.ts";
import { runPearlStoreContract } from "./store.contract.ts";
import type { PearlFact } from "./store.ts";

function openAt(path: string) {
  const sql = openSqlite(path);
  const clock = new ManualClock();
  const facts: PearlFact[] = [];
  onTestFinished(() => sql.close());
  const store = openPearlStore(sql, { clock, ids: countingIds(), record: (fact) => void facts.push(fact) });
  return { store, facts, advance: (ms: number) => clock.advance(ms) };
}

function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "pearls-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, "host.db");
}

describe("in memory", () => runPearlStoreContract(() => openAt(":memory:")));
describe("in a file", () => runPearlStoreContract(() => openAt(temporaryFile())));

test("pearls outlive the process that made them", () => {
  const path = temporaryFile();
  const made = openAt(path).store.create(NewPearl.parse({ title: "stay", repo: "/repo" }), "ada");

  expect(openAt(path).store.get(made.id)).toEqual(made);
});

test("the example in the README runs", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const example = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? "";

  const output = execFileSync(process.execPath, ["--input-type=module-typescript", "-e", example], {
    cwd: import.meta.dirname,
    encoding: "utf8",
  });
  expect(output).toBe("[ 'Design the door' ]\n");
});
