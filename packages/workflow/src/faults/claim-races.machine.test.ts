/** Real processes race for the same runs in one SQLite file. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { expect, test } from "vitest";
import { OWNER } from "../testing/run-in-memory.ts";

const RACES = 10_000;
const RACERS = 4;
const CHILD = join(import.meta.dirname, "../testing/claim-child.ts");

async function racer(path: string) {
  const child = spawn(process.execPath, [CHILD, path, String(RACES)], { stdio: ["pipe", "pipe", "inherit"] });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  await once(child.stdout, "data");
  return {
    pid: child.pid,
    run: async (): Promise<string[]> => {
      child.stdin.write("go\n");
      await once(child, "close");
      return JSON.parse(said.slice(said.indexOf("["))) as string[];
    },
  };
}

test(`S2: of ${RACES} runs that ${RACERS} processes claim at the same epoch, each goes to exactly one of them`, async () => {
  const folder = mkdtempSync(join(tmpdir(), "smooth-races-"));
  const path = join(folder, "runs.db");
  const sql = openSqlite(path, { synchronous: "NORMAL" });
  const store = openSqliteStore(sql);
  const runIds = Array.from({ length: RACES }, (_, at) => `run-${at}`);
  const created = { workflow: "w", input: {}, auth: null, owner: OWNER, atMs: 1 };
  await Promise.all(runIds.map((runId) => store.create({ ...created, runId })));
  const racers = await Promise.all(Array.from({ length: RACERS }, () => racer(path)));

  const won = await Promise.all(racers.map(({ run }) => run()));

  expect(won.flat().toSorted()).toEqual(runIds.toSorted());
  expect(won.filter((own) => own.length > 0).length).toBeGreaterThan(1);
  const winner = new Map(racers.flatMap(({ pid }, at) => (won[at] ?? []).map((runId) => [runId, pid])));
  const rows = await store.runs({});
  expect(rows.filter(({ runId, owner, epoch }) => epoch !== 2 || owner?.pid !== winner.get(runId))).toEqual([]);
  const claims = sql.get("SELECT count(*) AS n FROM _smithers_events WHERE body LIKE '%run.claimed%'");
  expect(claims?.["n"]).toBe(RACES);
  sql.close();
  rmSync(folder, { recursive: true });
});
