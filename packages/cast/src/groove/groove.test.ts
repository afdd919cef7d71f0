import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { ManualClock } from "@smooth/platform/testing";
import type { ChatMessage } from "@smooth/protocol/operator";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { folderBlobs } from "@smooth/platform/node/blobs";
import { openGroove, type FileChange, type Groove, type NewCheckpoint } from "./groove.ts";
import { treeDifference } from "./tree.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "groove-"));
});
afterEach(() => rm(folder, { recursive: true }));

const RUN = "run-aaaaaa";
const usage = { inputTokens: 1, outputTokens: 2, costUsd: null };
const said = (content: string): ChatMessage => ({ role: "user", content });
const file = (path: string, text: string, mode = 0o644): FileChange => ({
  kind: "file",
  path,
  mode,
  bytes: new TextEncoder().encode(text),
});
const step = (more: Partial<NewCheckpoint> = {}): NewCheckpoint => ({
  runId: RUN,
  afterCallId: null,
  iteration: 1,
  usage,
  conversation: [],
  changed: [],
  deleted: [],
  ...more,
});
const open = (path = ":memory:") => {
  const sql = openSqlite(path);
  return { sql, groove: openGroove({ sql, blobs: folderBlobs(join(folder, "blobs")), clock: new ManualClock(5) }) };
};
const texts = async (groove: Groove, seq: number): Promise<Record<string, string>> =>
  Object.fromEntries(
    await Promise.all(
      groove
        .tree(RUN, seq)
        .map(
          async (entry) =>
            [
              entry.path,
              entry.kind === "link"
                ? `-> ${entry.target}`
                : `${entry.mode.toString(8)} ${new TextDecoder().decode(await groove.bytes(entry.sha256))}`,
            ] as const,
        ),
    ),
  );

test("a new process continues from the last checkpoint with conversation, usage and place", async () => {
  const first = open(join(folder, "groove.db"));
  await first.groove.save(step({ conversation: [said("task")] }));
  await first.groove.save(step({ afterCallId: "call-1", iteration: 2, conversation: [said("task"), said("more")] }));
  first.sql.close();

  const { groove } = open(join(folder, "groove.db"));

  expect(groove.latest(RUN)).toEqual({
    id: "run-aaaaaa:2",
    runId: RUN,
    seq: 2,
    afterCallId: "call-1",
    iteration: 2,
    usage,
    conversation: [said("task"), said("more")],
    atMs: 5,
  });
  expect(groove.latest("run-bbbbbb")).toBeNull();
});

test("C3: a growing conversation is stored once; a rewritten one keeps both", async () => {
  const { groove, sql } = open();
  const talk = Array.from({ length: 50 }, (_unused, index) => said(`m${index}`));
  for (let size = 1; size <= talk.length; size += 1) await groove.save(step({ conversation: talk.slice(0, size) }));
  expect(sql.get("SELECT COUNT(*) AS n FROM groove_messages")?.["n"]).toBe(50);
  await groove.save(step({ conversation: [said("m0"), said("other")] }));
  expect(groove.latest(RUN)?.conversation).toEqual([said("m0"), said("other")]);
  expect(groove.at(RUN, 50)?.conversation).toHaveLength(50);
});

describe("the workspace", () => {
  test("each checkpoint restores byte for byte: contents, modes, links, deletions", async () => {
    const { groove } = open();
    await groove.save(
      step({
        changed: [file("a.txt", "one"), file("bin/run", "#!", 0o755), { kind: "link", path: "l", target: "a.txt" }],
      }),
    );
    await groove.save(step({ changed: [file("a.txt", "two")], deleted: ["l"] }));
    await groove.save(step({ changed: [file("a.txt", "one", 0o600)] }));

    expect(await texts(groove, 1)).toEqual({ "a.txt": "644 one", "bin/run": "755 #!", l: "-> a.txt" });
    expect(await texts(groove, 2)).toEqual({ "a.txt": "644 two", "bin/run": "755 #!" });
    expect(await texts(groove, 3)).toEqual({ "a.txt": "600 one", "bin/run": "755 #!" });
    expect(treeDifference(groove.tree(RUN, 3), groove.tree(RUN, 1))).toMatchObject({
      changed: [{ path: "a.txt", mode: 0o644 }, { path: "l" }],
      deleted: [],
    });
    expect(treeDifference(groove.tree(RUN, 1), groove.tree(RUN, 2)).deleted).toEqual(["l"]);
  });

  test("W2: a folder in place of a file, and back", async () => {
    const { groove } = open();
    await groove.save(step({ changed: [file("x", "file")] }));
    await groove.save(step({ changed: [file("x/y/z", "inside")] }));
    expect(await texts(groove, 2)).toEqual({ "x/y/z": "644 inside" });
    await groove.save(step({ changed: [file("x", "again")], deleted: ["x"] }));
    expect(await texts(groove, 3)).toEqual({ x: "644 again" });
  });

  test.each(["../x", "/etc/passwd", "a/../../x", "a//b", "./a", "a\0b", ""])(
    "W1: the path %j is refused and nothing is saved",
    async (path) => {
      const { groove } = open();
      await expect(groove.save(step({ changed: [file(path, "x")] }))).rejects.toThrow(/./);
      await expect(groove.save(step({ deleted: [path] }))).rejects.toThrow(/./);
      expect(groove.latest(RUN)).toBeNull();
    },
  );

  test("setuid does not survive", async () => {
    const { groove } = open();
    await groove.save(step({ changed: [file("s", "x", 0o4755)] }));
    expect(groove.tree(RUN, 1)).toMatchObject([{ mode: 0o755 }]);
  });

  test("C1: when bytes cannot be stored there is no checkpoint", async () => {
    const sql = openSqlite(":memory:");
    const groove = openGroove({
      sql,
      blobs: {
        put: () => Promise.reject(new Error("disk full")),
        get: () => Promise.reject(new Error("none")),
        list: async () => [],
        sweep: async () => 0,
      },
      clock: new ManualClock(),
    });
    await expect(groove.save(step({ changed: [file("a", "x")] }))).rejects.toThrow("disk full");
    expect(groove.latest(RUN)).toBeNull();
  });

  test("the same bytes are stored once, and damage is noticed", async () => {
    const blobs = folderBlobs(join(folder, "blobs"));
    const sha256 = await blobs.put(new TextEncoder().encode("same"));
    expect(await blobs.put(new TextEncoder().encode("same"))).toBe(sha256);
    const kept = join(folder, "blobs", sha256.slice(0, 2));
    expect(await readdir(kept)).toHaveLength(1);
    await writeFile(join(kept, sha256.slice(2)), "evil");
    await expect(blobs.get(sha256)).rejects.toMatchObject({ code: "INTERNAL" });
    await expect(blobs.get("0".repeat(64))).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

test("C2: a completed call keeps its first result", () => {
  const { groove } = open();
  expect(groove.completedCall(RUN, "c1")).toBeNull();
  expect(groove.completeCall({ runId: RUN, callId: "c1", ok: true, content: "first" })).toEqual({
    ok: true,
    content: "first",
  });
  expect(groove.completeCall({ runId: RUN, callId: "c1", ok: false, content: "second" })).toEqual({
    ok: true,
    content: "first",
  });
  expect(groove.completedCall(RUN, "c1")).toEqual({ ok: true, content: "first" });
});
