import { expect, test } from "vitest";
import { RUN_ID } from "@smooth/gateway/testing";
import { approvalAsk, networkAsk, runSummary } from "../testing/fake-host.ts";
import { bench, BIN, ended, start } from "../testing/run-bin.ts";

test.each([
  ["finished", 0],
  ["failed", 1],
  ["cancelled", 2],
  ["waiting", 3],
] as const)("up follows the run; %s exits %i", async (status, exit) => {
  const { smithers, host } = await bench();
  host.runs.push(runSummary({ status }));
  host.script = [{ type: "run.status", status, reason: null }];
  const { code, err } = await smithers(["up", "flow.tsx", "--input", '{"name":"world"}']);

  expect({ code, run: err.startsWith(RUN_ID) }).toEqual({ code: exit, run: true });
  expect(host.did).toEqual([`launch ${process.cwd()}/flow.tsx {"name":"world"}`]);
});

test("up can leave at once, name its run, and resume it", async () => {
  const { smithers, host } = await bench();
  host.runs.push(runSummary({ runId: "run-review1" as never, workflow: "/flow.tsx" }));
  const detached = await smithers(["up", "/flow.tsx", "-d", "--run-id", "run-review1"]);
  const resumed = await smithers(["up", "/flow.tsx", "--run-id", "run-review1", "--resume", "true", "-d"]);

  expect([detached.out, resumed.out]).toEqual(["run-review1\n", "run-review1\n"]);
  expect(host.did).toEqual(["launch /flow.tsx {}", "resumeRun run-review1"]);
});

test("up --resume of a run that is finished tells it again; of another workflow's run it is refused by name", async () => {
  const { smithers, host } = await bench();
  host.runs.push(runSummary({ status: "finished", workflow: "/flow.tsx" }));
  host.script = [{ type: "run.status", status: "finished", reason: null }];
  const again = await smithers(["/flow.tsx", "--resume", "--run-id", RUN_ID]);
  const other = await smithers(["up", "/other.tsx", "--resume", "--run-id", RUN_ID]);

  expect({ code: again.code, out: JSON.parse(again.out) as unknown }).toEqual({ code: 0, out: { said: "done" } });
  expect(other).toMatchObject({ code: 4, err: expect.stringContaining("/flow.tsx, not of /other.tsx") as string });
  expect(host.did).toEqual([]);
});

test("Ctrl-C leaves the run at work, and says so", async () => {
  const { host, home } = await bench();
  host.runs.push(runSummary());
  host.endless = true;
  const child = start(BIN.smithers, ["up", "flow.tsx"], { home });
  child.stderr?.once("data", () => child.kill("SIGINT"));

  expect(await ended(child)).toMatchObject({
    code: 130,
    err: expect.stringContaining(`smithers cancel ${RUN_ID}`) as string,
  });
});

test("a run without a row of `output` names what its nodes recorded", async () => {
  const { smithers, host } = await bench();
  host.output = { output: null, recorded: [{ nodeId: "fix", iteration: 2, output: "patch" }] };
  const [named, json] = await Promise.all([smithers(["output", RUN_ID]), smithers(["output", RUN_ID, "--json"])]);

  expect(JSON.parse(json.out)).toEqual({ output: null });
  expect(named).toMatchObject({
    code: 0,
    err: expect.stringContaining(`smithers output ${RUN_ID} fix --iteration 2`) as string,
  });
});

test("what is mistyped or documented elsewhere is answered with the way out", async () => {
  const { smithers } = await bench();
  const said = async (...args: string[]) => {
    const { code, err } = await smithers(args);
    expect({ args, code, lines: err.trim().split("\n").length }).toEqual({ args, code: 4, lines: 2 });
    return err;
  };

  expect(await said("ps", "--frob")).toContain("`smithers ps --help`");
  expect(await said("human", "answr")).toContain("Did you mean answer?");
  expect(await said("approve", RUN_ID, "--by", "ann")).toContain("who is signed in");
  expect(await said("events", RUN_ID)).toContain("smithers logs");
  expect(await said("up", "flow.tsx", "--run-id", "review-1")).toContain("`run-review1` would do");
});

test("input that is not JSON is bad input", async () => {
  const { smithers } = await bench();
  const { code, err } = await smithers(["up", "flow.tsx", "--input", "{"]);
  expect({ code, first: err.split("\n")[0] }).toEqual({
    code: 4,
    first: expect.stringContaining("--input is not JSON") as string,
  });
});

test("ps and inspect", async () => {
  const { smithers, host } = await bench();
  host.runs.push(
    runSummary({ status: "waiting", reason: "approval of ship" }),
    runSummary({ runId: "run-000done" as never, status: "finished" }),
  );
  host.asks.push(approvalAsk("ask-000001", "ship"));
  const [event, timer, waiting, json, inspected] = await Promise.all([
    smithers(["ps", "--status", "waiting-event"]),
    smithers(["ps", "--status", "waiting-timer"]),
    smithers(["ps", "--status", "waiting"]),
    smithers(["ps", "--json"]),
    smithers(["inspect", RUN_ID, "--json"]),
  ]);

  expect([event.out, timer.out]).toEqual([waiting.out, ""]);
  expect(waiting.out).toBe(`${RUN_ID}  waiting    Fix the login: approval of ship\n`);
  expect((JSON.parse(json.out) as { runs: unknown[] }).runs).toHaveLength(2);
  expect(JSON.parse(inspected.out)).toMatchObject({ run: { runId: RUN_ID }, asks: [{ id: "ask-000001" }] });
});

test("logs tells what was; --tail the end of it; --json one document", async () => {
  const { smithers, host } = await bench();
  host.runs.push(runSummary());
  host.script = ["one", "two", "three"].map((text) => ({ type: "note", text }));
  const [all, tail, json, follow] = await Promise.all([
    smithers(["logs", RUN_ID]),
    smithers(["logs", RUN_ID, "--tail", "1"]),
    smithers(["logs", RUN_ID, "--json"]),
    smithers(["logs", RUN_ID, "-f", "--json"]),
  ]);

  expect(all.out.match(/one|two|three/g)).toEqual(["one", "two", "three"]);
  expect(tail.out.match(/one|two|three/g)).toEqual(["three"]);
  expect(JSON.parse(json.out)).toHaveLength(3);
  expect(
    follow.out
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { seq: number }).seq),
  ).toEqual([1, 2, 3]);
});

test("approve finds the one node that waits; deny takes the named one", async () => {
  const { smithers, host } = await bench();
  const none = await smithers(["approve", RUN_ID]);
  host.asks.push(networkAsk("ask-000009", "th-000001", "a.org"), approvalAsk("ask-000001", "ship"));
  const approved = await smithers(["approve", RUN_ID]);
  const denied = await smithers(["deny", RUN_ID, "--node", "other", "--note", "no"]);

  expect(none).toMatchObject({ code: 1, err: expect.stringContaining(`no node of ${RUN_ID} waits`) as string });
  expect([approved.code, denied.code]).toEqual([0, 0]);
  expect(host.did).toEqual(["approve node ship#2", "deny node other#0"]);
});

test("a reader that has seen enough ends it without a word", async () => {
  const { host, home } = await bench();
  host.runs.push(runSummary());
  host.script = Array.from({ length: 3_000 }, () => ({ type: "note" as const, text: "x".repeat(100) }));
  const child = start(BIN.smithers, ["logs", RUN_ID], { home });
  const said: string[] = [];
  child.stderr?.on("data", (chunk) => said.push(String(chunk)));
  child.stdout?.once("data", () => child.stdout?.destroy());
  const code = await new Promise((resolve) => child.on("close", resolve));

  expect({ code, said }).toEqual({ code: 0, said: [] });
});

test("why tells every reason with the command that ends it; signal, human answer and resume are those commands", async () => {
  const { smithers, host } = await bench();
  host.runs.push(runSummary());
  const common = { sinceMs: 1, dueMs: null, problem: null };
  const command = `smithers signal ${RUN_ID} paid --data '<json>'`;
  host.reasons.push(
    {
      kind: "signal",
      node: { nodeId: "payment", iteration: 0 },
      text: "waits for the signal paid",
      command,
      ...common,
    },
    { kind: "paused", node: null, text: "paused by ann", command: null, ...common, problem: "none" },
  );
  const told = await smithers(["why", RUN_ID]);
  const taken = await smithers(["signal", RUN_ID, "paid", "--data", '{"amount":3}', "--correlation", "order-1"]);
  await smithers(["human", "answer", `${RUN_ID}::review::0`, "--value", '{"approved":true}']);
  await smithers(["resume", RUN_ID]);
  const broken = await smithers(["signal", RUN_ID, "paid", "--data", "{"]);
  expect(taken).toMatchObject({ code: 0, err: "sent: paid, to wait\n" });

  expect(told.out.split("\n")).toEqual([
    `${RUN_ID} is waiting-event`,
    "- payment: waits for the signal paid",
    `    ${command}`,
    "- paused by ann",
    "    last problem: none",
    "",
  ]);
  expect(host.did).toEqual([
    `signal ${RUN_ID} paid {"amount":3} order-1`,
    `answer ${RUN_ID}::review::0 {"approved":true}`,
    `resumeRun ${RUN_ID}`,
  ]);
  expect(broken).toMatchObject({ code: 4, err: expect.stringContaining("--data is not JSON") as string });
});

test("a signal that nothing waits for is kept, and its sender learns what the run waits for", async () => {
  const { smithers, host } = await bench();
  host.runs.push(runSummary());
  const kept = "sent: payd; nothing waits for it yet, and it is kept: ";
  expect((await smithers(["signal", RUN_ID, "payd"])).err).toBe(`${kept}the run waits for no signal now\n`);

  const none = { command: null, sinceMs: null, dueMs: null, problem: null };
  host.reasons.push({
    kind: "signal",
    node: { nodeId: "wait", iteration: 0 },
    text: "waits for the signal paid",
    ...none,
  });
  const { code, err } = await smithers(["signal", RUN_ID, "payd"]);

  expect([code, err]).toEqual([0, `${kept}the run waits for paid --correlation order-1\n`]);
});
