/** kill -9 a real process around its commits, start another one, and look at what is on disk. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { afterEach, describe, expect, test } from "vitest";

const CHILD = join(import.meta.dirname, "testing/crash-child.ts");
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "smooth-crash-"));
  folders.push(folder);
  return folder;
}

function child(folder: string, workflow: string, crashAt = -1) {
  const { signal, stdout, stderr, status } = spawnSync(process.execPath, [CHILD, folder, workflow, String(crashAt)], {
    encoding: "utf8",
  });
  if (signal === "SIGKILL") return { kind: "killed" as const };
  if (status !== 0) throw new Error(stderr);
  return { kind: "done" as const, ...(JSON.parse(stdout) as { recorded: [string, unknown][]; points: number }) };
}

const bodies = (folder: string): { key: string; attempt: number; idempotencyKey: string }[] => {
  try {
    return readFileSync(join(folder, "bodies.ndjson"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  } catch {
    return []; // killed before the first body
  }
};

function recordedKeys(folder: string): string[] {
  const sql = openSqlite(join(folder, "runs.db"));
  const there = sql.get("SELECT 1 FROM sqlite_master WHERE name = 'value'");
  const keys = there
    ? sql
        .all("SELECT run_id, node_id, iteration FROM value")
        .map((row) => `${row["run_id"]} ${row["node_id"]}::${row["iteration"]}`)
    : [];
  sql.close();
  return keys;
}

/** Nodes whose last failure is recorded: they are not tried again either. */
function failedKeys(folder: string): string[] {
  const sql = openSqlite(join(folder, "runs.db"));
  const there = sql.get("SELECT 1 FROM sqlite_master WHERE name = '_smithers_events'");
  const rows = there ? sql.all("SELECT run_id, body FROM _smithers_events WHERE body LIKE '%node.failed%'") : [];
  sql.close();
  return rows
    .map(({ run_id, body }) => ({ runId: run_id, ...JSON.parse(String(body)) }))
    .map(({ runId, nodeId, iteration }) => `${runId} ${nodeId}::${iteration}`);
}

const comparable = (recorded: [string, unknown][]) =>
  recorded.filter(([key]) => !key.includes(" merge")).toSorted(([a], [b]) => a.localeCompare(b));

describe.each(["chain", "fan", "operator", "undo", "pages", "parent"])("%s, killed at every commit", (workflow) => {
  const whole = child(newFolder(), workflow);
  if (whole.kind !== "done") throw new Error("the undisturbed run was killed");
  // Before and after every third commit, and every one of the first three.
  const points = Array.from({ length: whole.points }, (_, point) => point).filter(
    (point) => point < 6 || (point >> 1) % 3 === 0,
  );

  test.each(points)("point %i: another process finishes it and repeats no recorded step", (point) => {
    const folder = newFolder();
    expect(child(folder, workflow, point).kind).toBe("killed");
    const before = [...recordedKeys(folder), ...failedKeys(folder)];
    const ranBefore = bodies(folder).length;

    const after = child(folder, workflow);

    expect(after.kind === "done" && comparable(after.recorded)).toEqual(comparable(whole.recorded));
    const ranAfter = bodies(folder).slice(ranBefore);
    expect(ranAfter.map(({ key }) => key).filter((key) => before.includes(key))).toEqual([]);
    // A body that was cut off sees the same idempotency key and a higher attempt.
    const cutOff = bodies(folder)
      .slice(0, ranBefore)
      .filter(({ key }) => !before.includes(key));
    const again = cutOff.map(({ key }) => ranAfter.find((body) => body.key === key));
    expect(again).toEqual(cutOff.map((body) => ({ ...body, attempt: body.attempt + 1 })));
  });
});
