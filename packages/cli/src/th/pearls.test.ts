/** `th pearls`, `th run` and what acts on a run. */
import { describe, expect, test } from "vitest";
import { RUN_ID } from "@smooth/gateway/testing";
import { PearlId } from "@smooth/protocol/ids";
import { networkAsk, runSummary } from "../testing/fake-host.ts";
import { bench, type Ended } from "../testing/run-bin.ts";

const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");
const create = async (th: (args: string[]) => Promise<Ended>, title: string): Promise<PearlId> =>
  PearlId.parse((await th(["pearls", "create", title])).out.trim());

describe("pearls", () => {
  test("create, order, discuss, close", async () => {
    const { th } = await bench();
    const [build, design] = [await create(th, "Build the door"), await create(th, "Design the door")];
    await th(["pearls", "dep", build, design]);
    const ready = await th(["pearls", "ready", "--json"]);
    const body = "  héllo\n\tworld  ";
    await th(["pearls", "comment", design, "-"], body);
    await th(["pearls", "close", design, "--reason", "drawn"]);
    const shown = await th(["pearls", "show", design, "--json"]);
    const after = await th(["pearls", "ready"]);

    expect((JSON.parse(ready.out) as { pearls: object[] }).pearls).toMatchObject([{ id: design }]);
    expect(JSON.parse(shown.out)).toMatchObject({
      pearl: { status: "closed" },
      comments: [{ author: "ada", body }, { body: "drawn" }],
      history: [{ field: "status", before: '"open"', after: '"closed"' }],
    });
    expect(after.out).toMatch(new RegExp(`^${build}  P2  open  task  Build the door\n$`));
  });

  test("a cycle is refused by name, exit 4", async () => {
    const { th } = await bench();
    const [a, b] = [await create(th, "a"), await create(th, "b")];
    await th(["pearls", "dep", a, b]);
    const { code, err } = await th(["pearls", "dep", b, a]);

    expect({ code, first: lines(err)[0] }).toEqual({ code: 4, first: `this would close a cycle: ${b} → ${a} → ${b}` });
  });

  test("O3: empty is an answer", async () => {
    const { th } = await bench();
    const [plain, json] = [await th(["pearls", "list"]), await th(["pearls", "list", "--json"])];

    expect(plain).toMatchObject({ code: 0, out: "" });
    expect(plain.err).toContain("th pearls create");
    expect({ code: json.code, document: JSON.parse(json.out) as unknown }).toEqual({
      code: 0,
      document: { pearls: [] },
    });
  });

  test("truncation is said", async () => {
    const { th } = await bench();
    for (const title of ["a", "b", "c"]) await create(th, title);
    const { out, err } = await th(["pearls", "list", "--limit", "2"]);

    expect({ rows: lines(out).length, err }).toEqual({
      rows: 2,
      err: "only the first 2 are shown; ask for more with --limit\n",
    });
  });

  test("O2: what a stranger wrote cannot move the cursor, and stays whole in --json", async () => {
    const { th } = await bench();
    const id = await create(th, "evil \u001B[2Jtitle\u0007\rOK");
    const [shown, listed, json] = [
      await th(["pearls", "show", id]),
      await th(["pearls", "list"]),
      await th(["pearls", "show", id, "--json"]),
    ];

    // oxlint-disable-next-line no-control-regex
    for (const { out } of [shown, listed]) expect(out).not.toMatch(/[\u001B\u0007\r]/);
    expect((JSON.parse(json.out) as { pearl: { title: string } }).pearl.title).toBe("evil \u001B[2Jtitle\u0007\rOK");
  });
});

describe("runs", () => {
  test("run prints the run's id; operators lists who is at work", async () => {
    const { th, host } = await bench();
    const launched = await th(["run", "th-abc123"]);
    host.runs.push(
      runSummary({ pearlId: PearlId.parse("th-abc123"), pendingAsks: 1 }),
      runSummary({ runId: "run-000done" as never, status: "finished" }),
    );
    const operators = await th(["operators"]);

    expect(launched).toMatchObject({ code: 0, out: `${RUN_ID}\n` });
    expect(host.did).toEqual(["launch th-abc123 {}"]);
    expect(operators.out).toBe(`${RUN_ID}  running (1 for you)  th-abc123  Fix the login\n`);
  });

  test.each([
    ["finished", 0],
    ["failed", 1],
    ["cancelled", 2],
    ["waiting", 3],
  ] as const)("R1: --watch of a run that ends %s exits %i", async (status, exit) => {
    const { th, host } = await bench();
    host.runs.push(runSummary({ status }));
    host.script = [
      { type: "run.started", title: "Fix", workflow: "operator", pearlId: null, demo: true },
      { type: "note", text: "thinking" },
      { type: "run.status", status, reason: "because" },
    ];
    const { code, out } = await th(["run", "th-abc123", "--watch"]);

    expect(code).toBe(exit);
    expect(out).toMatch(/started: Fix \(DEMO\)\n.*thinking\n/);
    expect(out).toContain(`${status}: because`);
  });

  test("--watch exits 3 when the operator asks a person, and not for an ask that is over", async () => {
    const ask = networkAsk("ask-000001", "th-abc123", "docs.example.com");
    const follow = async (summary: Parameters<typeof runSummary>[0]) => {
      const { th, host } = await bench();
      host.runs.push(runSummary(summary));
      host.script = [
        { type: "ask.opened", ask },
        { type: "run.status", status: "finished", reason: null },
      ];
      return (await th(["run", "th-abc123", "--watch"])).code;
    };

    expect(await follow({ status: "running", pendingAsks: 1 })).toBe(3);
    expect(await follow({ status: "finished", pendingAsks: 0 })).toBe(0);
  });

  test("pause, resume, steer and cancel take a run or its pearl", async () => {
    const { th, host } = await bench();
    host.runs.push(runSummary({ status: "paused", pearlId: PearlId.parse("th-abc123") }));
    for (const args of [
      ["pause", RUN_ID],
      ["resume", "th-abc123"],
      ["steer", "th-abc123", "use", "the", "door"],
      ["cancel", RUN_ID],
    ]) {
      expect(await th(args)).toMatchObject({ code: 0, out: "" });
    }
    host.runs[0] = runSummary({ status: "failed" });
    await th(["resume", RUN_ID]);

    expect(host.did).toEqual([
      `pause ${RUN_ID}`,
      `unpause ${RUN_ID}`,
      `steer ${RUN_ID} use the door`,
      `cancel ${RUN_ID}`,
      `resumeRun ${RUN_ID}`,
    ]);
  });

  test("an unknown run says where to look", async () => {
    const { th } = await bench();
    expect(await th(["cancel", "run-nobody"])).toEqual({
      code: 1,
      out: "",
      err: "no run run-nobody\nsee the runs with `smithers ps`\n",
    });
  });
});
