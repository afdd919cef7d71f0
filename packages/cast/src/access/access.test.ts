import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { countingIds, ManualClock, memoryLog, settle } from "@smooth/platform/testing";
import type { Ask } from "@smooth/protocol/asks";
import type { RunId } from "@smooth/protocol/ids";
import type { AccessRequest } from "@smooth/protocol/policy";
import { describe, expect, test } from "vitest";
import { defaultPolicy } from "../wonk/default-policy.ts";
import { openAccess, type Access } from "./access.ts";
import { repoAllowFile } from "./allow-file.node.ts";
import { MAX_TTL_MS, type AllowFile } from "./allow-rules.ts";
import { sqlAskStore } from "./ask-store.ts";
import type { Identity, Verdict } from "./asks.ts";
import { gateFor } from "./gate.ts";

const RUN = "run-aaaaaa" as RunId;
const ada: Identity = { kind: "human", name: "ada" };
const bob: Identity = { kind: "human", name: "bob" };
const yes = (by: Identity = ada, grant: "once" | "run" | "rule" = "once"): Verdict => ({
  version: 1,
  by,
  decision: { verdict: "approve", grant },
});
const no = (by: Identity = ada): Verdict => ({ version: 1, by, decision: { verdict: "deny", note: "not now" } });
const network = (host = "api.example.org"): AccessRequest => ({ kind: "network", host, port: 443, method: "CONNECT" });

function memoryFile(text: string | null = null): AllowFile & { text: string | null } {
  return {
    text,
    async read() {
      return this.text;
    },
    async write(next) {
      this.text = next;
    },
  };
}

function house({
  sql = openSqlite(":memory:"),
  clock = new ManualClock(),
  file = memoryFile(),
  ids = countingIds(),
} = {}) {
  const changes: Ask[] = [];
  const deps = {
    store: sqlAskStore(sql),
    clock,
    ids,
    log: memoryLog(),
    allowFileOf: () => file,
    onChange: (ask: Ask) => void changes.push(ask),
  };
  const access = openAccess(deps);
  const gate = gateFor({
    access,
    policy: () => defaultPolicy({ repoRoot: "/workspace" }),
    run: { runId: RUN, pearlId: null },
    redact: (text) => text.replaceAll("hunter2hunter2", "[REDACTED:test]"),
    mode: "ask",
    askTtlMs: 60_000,
  });
  return { access, gate, clock, changes, file, sql, ids };
}

const one = (access: Access): Ask => {
  const [ask, ...rest] = access.pending();
  if (!ask || rest.length > 0) throw new TypeError(`${access.pending().length} pending`);
  return ask;
};

describe("the life of an ask", () => {
  test("an ask waits in sight until a person decides, then the caller continues", async () => {
    const { access, gate, changes } = house();
    const settled = gate.settle(network());
    await expect.poll(() => access.pending().length).toBe(1);
    expect(one(access)).toMatchObject({
      runId: RUN,
      subject: { kind: "network", host: "api.example.org", port: 443 },
      reason: "network.default",
      status: "pending",
    });

    await access.decide(one(access).id, yes());

    expect(await settled).toEqual({ kind: "allow", rule: "network.default (approved by ada)" });
    expect(access.pending()).toEqual([]);
    expect(changes.map(({ status }) => status)).toEqual(["pending", "decided"]);
  });

  test("A2: the first decision stays, the second person learns who was first; a retry is no conflict", async () => {
    const { access, gate } = house();
    const settled = gate.settle(network());
    await expect.poll(() => access.pending().length).toBe(1);
    const { id } = one(access);
    await access.decide(id, no(ada));
    await expect(access.decide(id, yes(bob))).rejects.toMatchObject({
      code: "ALREADY_DECIDED",
      message: "ada already decided: deny",
    });
    expect(await access.decide(id, no(ada))).toMatchObject({ status: "decided" });
    expect(await settled).toMatchObject({
      kind: "refuse",
      message: expect.stringContaining("ada denied this: not now") as string,
    });
  });

  test("A2: two processes over one database still decide once", async () => {
    const sql = openSqlite(":memory:");
    const [first, second] = [house({ sql }), house({ sql })];
    void first.gate.settle(network());
    await expect.poll(() => first.access.pending().length).toBe(1);
    const { id } = one(first.access);
    const both = await Promise.allSettled([first.access.decide(id, yes(ada)), second.access.decide(id, no(bob))]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  });

  test("A2: the row takes one decision, even from somebody who read it before the other wrote", async () => {
    const sql = openSqlite(":memory:");
    const { access, gate } = house({ sql });
    void gate.judge(network());
    await expect.poll(() => access.pending().length).toBe(1);
    const stale = one(access);
    await access.decide(stale.id, no(ada));
    expect(
      sqlAskStore(sql).close({
        ...stale,
        status: "decided",
        decision: { verdict: "approve", grant: "run" },
        decidedBy: "bob",
        decidedAtMs: 1,
      }),
    ).toBe(false);
    expect(access.find(stale.id)).toMatchObject({ decidedBy: "ada", decision: { verdict: "deny" } });
  });

  test("A4: an agent never decides", async () => {
    const { access, gate } = house();
    void gate.judge(network());
    await expect.poll(() => access.pending().length).toBe(1);
    await expect(access.decide(one(access).id, yes({ kind: "agent", name: "operator-1" }))).rejects.toMatchObject({
      code: "POLICY_DENIED",
    });
    expect(access.pending()).toHaveLength(1);
  });

  test("A3: expiry reads as no answer", async () => {
    const { access, gate, clock, changes } = house();
    const settled = gate.settle(network());
    await expect.poll(() => access.pending().length).toBe(1);
    const { id } = one(access);
    await clock.advance(60_000);
    expect(await settled).toMatchObject({
      kind: "refuse",
      message: expect.stringMatching(/^No answer.*not a denial/) as string,
    });
    expect(changes.at(-1)?.status).toBe("expired");
    await expect(access.decide(id, yes())).rejects.toMatchObject({ code: "ASK_VOID" });
  });

  test("a decision after the deadline is refused even when the timer is late", async () => {
    const sql = openSqlite(":memory:");
    const { access, gate } = house({ sql });
    void gate.judge(network());
    await expect.poll(() => access.pending().length).toBe(1);
    const late = house({ sql, clock: new ManualClock(1_800_000_060_000) });
    await expect(late.access.decide(one(access).id, yes())).rejects.toMatchObject({ code: "ASK_VOID" });
  });

  test("A1: another version, and an ended run, are void", async () => {
    const { access, gate } = house();
    const settled = gate.settle(network());
    await expect.poll(() => access.pending().length).toBe(1);
    const { id } = one(access);
    await expect(access.decide(id, { ...yes(), version: 2 })).rejects.toMatchObject({ code: "ASK_VOID" });
    access.endRun(RUN, "the run ended");
    expect(await settled).toMatchObject({ message: expect.stringContaining("the run ended") as string });
    await expect(access.decide(id, yes())).rejects.toMatchObject({ code: "ASK_VOID", message: "the run ended" });
    await expect(access.decide("ask-nothere", yes())).rejects.toMatchObject({ code: "ASK_NOT_FOUND" });
  });

  test("Q1: the same action is one ask and wakes every caller; another action is another ask", async () => {
    const { access, gate } = house();
    const twins = [gate.settle(network()), gate.settle(network())];
    void gate.settle(network("www.example.org"));
    await expect.poll(() => access.pending().length).toBe(2);
    await access.decide(access.pending()[0]?.id ?? "", yes());
    expect((await Promise.all(twins)).map(({ kind }) => kind)).toEqual(["allow", "allow"]);
    expect(access.pending()).toHaveLength(1);
  });
});

describe("how far an approval reaches", () => {
  const approve = async (home: ReturnType<typeof house>, grant: "once" | "run" | "rule"): Promise<void> => {
    const settled = home.gate.settle(network());
    await expect.poll(() => home.access.pending().length).toBe(1);
    await home.access.decide(one(home.access).id, yes(ada, grant));
    await settled;
  };

  test("once: the next time is asked again", async () => {
    const home = house();
    await approve(home, "once");
    expect((await home.gate.judge(network())).kind).toBe("ask");
  });

  test("run: this run only, and not for ever", async () => {
    const home = house();
    await approve(home, "run");
    expect((await home.gate.judge(network())).kind).toBe("allow");
    expect((await home.gate.judge(network("other.example.org"))).kind).toBe("ask");
    expect(await home.access.grantsOf("run-bbbbbb")).toEqual([]);
    await home.clock.advance(25 * 3_600_000);
    expect(await home.access.grantsOf(RUN)).toEqual([]);
  });

  test("rule: written to the project's file with who and until when, read by the next run", async () => {
    const home = house();
    await approve(home, "rule");
    expect(home.file.text).toMatch(/by = "ada"/);
    const next = house({ file: home.file });
    expect(await next.access.grantsOf("run-bbbbbb")).toHaveLength(1);
    await next.clock.advance(31 * 24 * 3_600_000);
    expect(await next.access.grantsOf("run-bbbbbb")).toEqual([]);
  });

  test("two rules approved at once are both kept", async () => {
    const home = house();
    void home.gate.judge(network());
    void home.gate.judge(network("www.example.org"));
    await expect.poll(() => home.access.pending().length).toBe(2);
    await Promise.all(home.access.pending().map(({ id }) => home.access.decide(id, yes(ada, "rule"))));
    expect(await house({ file: home.file }).access.grantsOf("run-bbbbbb")).toHaveLength(2);
  });

  test("L1: a rule without a near end does not count", async () => {
    const file = memoryFile(
      `[[allow]]\nid="x"\nby="mallory"\nuntil_ms=${1_800_000_000_000 + MAX_TTL_MS + 1}\nrequest={kind="tool",name="x"}`,
    );
    expect(await house({ file }).access.grantsOf(RUN)).toEqual([]);
  });

  test("L2: a broken file gives nothing, is not overwritten, and the approval still counts for the run", async () => {
    const home = house({ file: memoryFile("not toml [") });
    await approve(home, "rule");
    expect(home.file.text).toBe("not toml [");
    expect(await home.access.grantsOf(RUN)).toHaveLength(1);
    expect(await home.access.grantsOf("run-bbbbbb")).toEqual([]);
  });

  test("Q4: what was denied to an operator is not asked again in the run", async () => {
    const { access, gate, changes } = house();
    const settled = gate.settle(network());
    await expect.poll(() => access.pending().length).toBe(1);
    await access.decide(one(access).id, no());
    await settled;
    expect(await gate.settle(network())).toMatchObject({ kind: "refuse" });
    expect(changes).toHaveLength(2);
  });

  test("Q3: an answer given while nobody listened (a crash) is found by the same action, once", async () => {
    const sql = openSqlite(":memory:");
    const before = house({ sql });
    void before.gate.judge(network());
    await expect.poll(() => before.access.pending().length).toBe(1);
    const after = house({ sql, ids: before.ids });
    await after.access.decide(one(after.access).id, yes());
    expect(await after.gate.settle(network())).toMatchObject({ kind: "allow" });
    expect((await after.gate.judge(network())).kind).toBe("ask");
  });

  test("pending asks survive a restart and still expire", async () => {
    const sql = openSqlite(":memory:");
    const before = house({ sql });
    void before.gate.judge(network());
    await expect.poll(() => before.access.pending().length).toBe(1);
    before.access.close();
    const after = house({ sql });
    await after.clock.advance(60_000);
    expect(after.changes.at(-1)?.status).toBe("expired");
  });
});

describe("the gate", () => {
  test("D1: headless, and too long to read, are denials", async () => {
    const { access, gate } = house();
    const headless = gateFor({
      access,
      policy: () => defaultPolicy({ repoRoot: "/workspace" }),
      run: { runId: RUN, pearlId: null },
      redact: (text) => text,
      mode: "headless",
      askTtlMs: null,
    });
    expect(await headless.settle(network())).toMatchObject({ kind: "refuse" });
    expect((await gate.judge({ kind: "command", command: `git push ${"x".repeat(20_001)}` })).kind).toBe("deny");
    expect(access.pending()).toEqual([]);
  });

  test("D2: people see the redacted action, and a secret is kept in no grant", async () => {
    const home = house();
    void home.gate.judge({ kind: "command", command: "git push https://me:hunter2hunter2@example.org/x" });
    await expect.poll(() => home.access.pending().length).toBe(1);
    expect(JSON.stringify(home.access.pending())).not.toContain("hunter2hunter2");
    await home.access.decide(one(home.access).id, yes(ada, "rule"));
    await settle();
    expect(home.file.text).toBeNull();
    expect(JSON.stringify(home.sql.all("SELECT * FROM asks"))).not.toContain("hunter2hunter2");
  });

  test("two commands that look alike after redaction are two asks", async () => {
    const { access, gate } = house();
    void gate.judge({ kind: "command", command: "git push hunter2hunter2" });
    void gate.judge({ kind: "command", command: "git push [REDACTED:test]" });
    await expect.poll(() => access.pending().length).toBe(2);
  });
});

describe("the allow file on disk", () => {
  test("is written whole, read back, and never through a link", async () => {
    const repo = await mkdtemp(join(tmpdir(), "allow-"));
    const file = repoAllowFile(repo);
    expect(await file.read()).toBeNull();
    await file.write("a = 1\n");
    expect(await file.read()).toBe("a = 1\n");

    await rm(join(repo, ".smooth"), { recursive: true });
    await mkdir(join(repo, "elsewhere"));
    await writeFile(join(repo, "elsewhere/wonk-allow.toml"), "planted = 1");
    await symlink(join(repo, "elsewhere"), join(repo, ".smooth"));
    await expect(file.read()).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await expect(file.write("x")).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    expect(await readFile(join(repo, "elsewhere/wonk-allow.toml"), "utf8")).toBe("planted = 1");
    await rm(repo, { recursive: true });
  });
});
