/** Kills real processes around their commits and looks at what is on disk.
 *  K1. However often a run is killed, it ends with the rows of an undisturbed one.
 *  K2. What is recorded is never run again: neither a row, nor the last failure of a step.
 *  K3. A body that was cut off sees the same idempotency key and a higher attempt. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { build } from "esbuild";

/** What an undisturbed process recorded, and how many points it could be killed at. */
export interface Whole {
  readonly recorded: readonly (readonly [string, unknown])[];
  readonly points: number;
}

export interface Crashed {
  readonly killed: number;
  /** How many points the process passed that ended. */
  readonly points: number;
  readonly recorded: Whole["recorded"];
  /** Broken promises; empty when all is well. */
  readonly broken: readonly string[];
}

interface Body {
  readonly key: string;
  readonly attempt: number;
  readonly idempotencyKey: string;
}

const scratch = mkdtempSync(join(tmpdir(), "smooth-crash-"));
process.once("exit", () => rmSync(scratch, { recursive: true, force: true }));
const CHILD = join(scratch, "child.mjs");

/** One file of plain JavaScript starts four times faster than the sources do. */
const bundled = build({
  entryPoints: [join(import.meta.dirname, "crash-child.ts")],
  outfile: CHILD,
  bundle: true,
  platform: "node",
  format: "esm",
  banner: {
    js: `import { createRequire } from "node:module"; const require = createRequire(${JSON.stringify(import.meta.url)});`,
  },
});

export async function undisturbed(workflow: string): Promise<Whole> {
  await bundled;
  const folder = mkdtempSync(join(scratch, "whole-"));
  const ended = child(folder, workflow, -1);
  rmSync(folder, { recursive: true });
  if (ended.kind === "killed") throw new Error(`nobody killed ${workflow}, but it was killed`);
  return ended.whole;
}

/** One run, killed at each of the points in turn (each counted from the start of its process), then left to end. */
export async function crash(workflow: string, points: readonly number[]): Promise<Crashed> {
  await bundled;
  const folder = mkdtempSync(join(scratch, "run-"));
  const broken: string[] = [];
  let killed = 0;
  try {
    for (const point of [...points, -1]) {
      const recorded = [...recordedKeys(folder), ...failedKeys(folder)];
      const ranBefore = bodies(folder);
      const ended = child(folder, workflow, point);
      broken.push(...repeated(ranBefore, bodies(folder).slice(ranBefore.length), recorded));
      if (ended.kind === "done") return { killed, ...ended.whole, broken };
      killed += 1;
    }
    throw new Error(`${workflow} was killed though nobody did it`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** K2, K3 */
function repeated(before: readonly Body[], after: readonly Body[], recorded: readonly string[]): string[] {
  const again = after.filter(({ key }) => recorded.includes(key)).map(({ key }) => `${key} ran again`);
  const firstAfter = new Map(after.toReversed().map((body) => [body.key, body]));
  const lastBefore = new Map(before.map((body) => [body.key, body]));
  const cutOff = [...lastBefore.values()].filter(({ key }) => !recorded.includes(key));
  const confused = cutOff.filter((body) => {
    const next = firstAfter.get(body.key);
    return next && (next.attempt <= body.attempt || next.idempotencyKey !== body.idempotencyKey);
  });
  return [...again, ...confused.map(({ key }) => `${key} did not know that it was cut off`)];
}

type Ended = { readonly kind: "killed" } | { readonly kind: "done"; readonly whole: Whole };

function child(folder: string, workflow: string, crashAt: number): Ended {
  const args = [CHILD, folder, workflow, String(crashAt)];
  const { signal, stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (signal === "SIGKILL") return { kind: "killed" };
  if (status !== 0) throw new Error(stderr);
  return { kind: "done", whole: JSON.parse(stdout) as Whole };
}

function bodies(folder: string): readonly Body[] {
  try {
    const lines = readFileSync(join(folder, "bodies.ndjson"), "utf8").trim().split("\n");
    return lines.map((line) => JSON.parse(line) as Body);
  } catch {
    return []; // killed before the first body
  }
}

function recordedKeys(folder: string): readonly string[] {
  return query(folder, "value", "SELECT run_id, node_id, iteration FROM value").map(
    (row) => `${row["run_id"]} ${row["node_id"]}::${row["iteration"]}`,
  );
}

/** Nodes whose last failure is recorded: they are not tried again either. */
function failedKeys(folder: string): readonly string[] {
  const text = "SELECT run_id, body FROM _smithers_events WHERE body LIKE '%node.failed%'";
  return query(folder, "_smithers_events", text).map((row) => {
    const { nodeId, iteration } = JSON.parse(String(row["body"])) as { nodeId: string; iteration: number };
    return `${row["run_id"]} ${nodeId}::${iteration}`;
  });
}

function query(folder: string, table: string, text: string) {
  const sql = openSqlite(join(folder, "runs.db"));
  const there = sql.get("SELECT 1 FROM sqlite_master WHERE name = ?", [table]);
  const rows = there ? sql.all(text) : [];
  sql.close();
  return rows;
}
