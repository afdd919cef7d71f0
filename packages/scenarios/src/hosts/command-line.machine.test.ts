import { spawn } from "node:child_process";
import { get } from "node:http";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Output } from "@smooth/protocol/gateway";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../patience.ts";
import { ROOT, type RunningHouse, startHouse } from "../stories/house.ts";
import { isRunning } from "./processes.ts";

/** `th` and `smithers` as programs, on a whole house: dashboard, rendezvous, host and VM are the ones of `npm start`.
 *  C1. stdout is data; `--json` is one document. C2. Exit codes: 0 ok, 1 failed, 2 cancelled, 3 waiting, 4 bad input. */

const FLOW = `
import { Approval, approvalDecisionSchema, createSmithers, Sequence, Task } from "smithers-orchestrator";
import { z } from "zod";
const { Workflow, smithers, outputs } = createSmithers({
  input: z.object({ who: z.string() }),
  gate: approvalDecisionSchema,
  output: z.object({ said: z.string() }),
});
export default smithers((ctx) => (
  <Workflow name="gate">
    <Sequence>
      <Approval id="gate" output={outputs.gate} request={{ title: "Let " + ctx.input.who + " in?" }} onDeny="fail" />
      <Task id="greet" output={outputs.output}>{{ said: "Hello, " + ctx.input.who }}</Task>
    </Sequence>
  </Workflow>
));
`;

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

let house: RunningHouse;
let flow: string;

async function run(
  bin: "th" | "smithers",
  args: readonly string[],
  { stdin = "", home = house.home } = {},
): Promise<Ended> {
  const { PATH, HOME } = process.env;
  const program = join(ROOT, `apps/agent-host/src/bin/${bin}.mjs`);
  const child = spawn(process.execPath, [program, ...args], {
    cwd: house.dir,
    env: { PATH, HOME, SMOOTH_HOME: home, SMOOTH_PORT: "0", NO_COLOR: "1" },
  });
  child.stdin.end(stdin);
  const code = new Promise<number | null>((resolve) => child.on("close", resolve));
  return { out: await text(child.stdout), err: await text(child.stderr), code: await code };
}
const th = (...args: string[]): Promise<Ended> => run("th", args);
const smithers = (...args: string[]): Promise<Ended> => run("smithers", args);

/** C1 */
async function json<T>(asked: Promise<Ended>): Promise<T> {
  const { code, out, err } = await asked;
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return JSON.parse(out) as T;
}

beforeAll(async () => {
  house = await startHouse();
  flow = join(house.dir, "gate.tsx");
  writeFileSync(flow, FLOW);
});
afterAll(async () => {
  if (house) await th("down"); // a host that was detached belongs to nobody
  await house?.stop();
});

describe("th: the host", () => {
  test("status tells when the sandbox is ready", async () => {
    await eventually(async () =>
      expect(await json(th("status", "--json"))).toMatchObject({ sandbox: { kind: "ready" } }),
    );
  });

  test("status tells what runs; a second up finds the first; whoami is the owner, here", async () => {
    const status = await th("status");
    const again = await th("up");

    expect(status).toMatchObject({ code: 0, out: expect.stringMatching(/sandbox +qemu/) as string });
    expect(again).toMatchObject({ code: 0, err: expect.stringContaining("already running") as string });
    expect(await json(th("auth", "whoami", "--json"))).toMatchObject({ role: "owner", via: "local" });
  });

  test("auth keeps a key from stdin in a private file and never shows it", async () => {
    const home = join(house.dir, "elsewhere");
    mkdirSync(home);
    const key = "sk-test-0123456789abcdefghij";
    const login = await run("th", ["auth", "login", "openai", "--key-stdin"], { home, stdin: key });
    const shown = await run("th", ["auth", "providers", "--json"], { home });
    const chosen = await run("th", ["auth", "default", "openai", "gpt-5"], { home });

    expect([login.code, shown.code, chosen.code]).toEqual([0, 0, 0]);
    expect(JSON.parse(shown.out)).toMatchObject({ providers: [{ id: "openai", key: "stored", isDefault: true }] });
    expect([login, shown, chosen].some(({ out, err }) => (out + err).includes(key))).toBe(false);
    expect(statSync(join(home, "providers.json")).mode & 0o777).toBe(0o600);
    expect((await run("th", ["auth", "default", "nobody"], { home })).code).toBe(4);
  });
});

describe("th: pearls, runs, access", () => {
  let pearl: string;

  test("a pearl is created, listed, shown and closed; bad input is 4 and creates nothing", async () => {
    const { id } = await json<{ id: string }>(
      th("pearls", "create", "Oil the door", "--repo", house.dir, "-l", "house", "--json"),
    );
    const bad = [await th("pearls", "create", ""), await th("pearls", "create", "x", "-p", "9")];
    await th("pearls", "comment", id, "It squeaks.");
    const closed = await th("pearls", "close", id, "--reason", "done by hand");
    const shown = await json<Output<"getPearl">>(th("pearls", "show", id, "--json"));
    const { pearls } = await json<Output<"listPearls">>(th("pearls", "list", "--json"));

    pearl = pearls.find(({ title }) => title !== "Oil the door")?.id ?? "";
    expect(bad.map(({ code }) => code)).toEqual([4, 4]);
    expect(closed).toMatchObject({ code: 0, out: "" });
    expect(shown).toMatchObject({ pearl: { status: "closed", labels: ["house"] } });
    expect(shown.comments.map(({ body }) => body)).toEqual(["It squeaks.", "done by hand"]);
    expect(pearls.map(({ title }) => title).toSorted()).toEqual([
      "Make the failing duration test green",
      "Oil the door",
    ]);
    expect((await th("pearls", "show", "th-9unknown")).code).toBe(1);
    pearl = pearls.find(({ title }) => title !== "Oil the door")?.id ?? "";
  });

  test("run --watch leaves with 3 when it waits; operators shows it; pause holds it, steer is heard, resume lets it go on", async () => {
    expect((await th("run", pearl, "--watch")).code).toBe(3);
    const [{ runId } = { runId: "" }] = await operators();
    expect((await th("pause", pearl)).code).toBe(0);
    expect(await operators()).toMatchObject([{ pearlId: pearl, status: "paused" }]);
    expect((await th("steer", pearl, "Mind", "the", "spec.")).code).toBe(0);
    expect((await th("resume", pearl)).code).toBe(0);
    expect(await operators()).toMatchObject([{ pearlId: pearl, runId }]);
    expect((await smithers("logs", runId)).out).toContain("owner: Mind the spec.");
    expect((await th("run", pearl)).code).toBe(1); // it has one already
  });

  test("access shows what is asked; approve and deny decide once", async () => {
    const [ask] = await asked();
    expect(ask).toMatchObject({ subject: { kind: "network", host: "docs.example.com" }, status: "pending" });
    expect(await th("access", "approve", pearl, "docs.example.com")).toMatchObject({
      code: 0,
      err: expect.stringContaining("approved") as string,
    });
    expect((await th("access", "deny", ask?.id ?? "")).code).toBe(1); // decided already
    const [merge] = await asked();
    expect(merge).toMatchObject({ subject: { kind: "merge" } });
    expect((await th("diff", pearl)).out).toContain("+  let rest = Math.round(ms / 1000)");
    expect((await th("access", "deny", merge?.id ?? "", "--note", "not today")).code).toBe(0);
    await eventually(async () => expect(await operators()).toEqual([]));
    expect(await th("access", "pending")).toMatchObject({ code: 0, out: "", err: "nothing waits for you\n" });
  });

  test("run starts and leaves; cancel ends it, and who follows hears of it", async () => {
    const started = await th("run", pearl);
    expect(started).toMatchObject({ code: 0, out: expect.stringMatching(/^run-\S+\n$/) as string });
    const runId = started.out.trim();
    expect(await operators()).toMatchObject([{ pearlId: pearl, runId }]);
    const following = smithers("logs", runId, "--follow");
    expect((await th("cancel", runId)).code).toBe(0);
    expect((await following).out).toContain("cancelled");
    expect((await th("cancel", "run-9unknown")).code).toBe(1);
  });

  async function asked(): Promise<Output<"listAsks">["asks"]> {
    return eventually(async () => {
      const { asks } = await json<Output<"listAsks">>(th("access", "pending", "--json"));
      expect(asks).toHaveLength(1);
      return asks;
    });
  }
  const operators = async () => (await json<Output<"listRuns">>(th("operators", "--json"))).runs;
});

describe("th tunnel", () => {
  test("stop ends what the URL serves at once; start brings the same URL back", async () => {
    const origin = await serving();
    expect(await reach(origin)).toBe(200);

    const stopped = await th("tunnel", "stop");
    const after = await reach(origin);

    expect(stopped.code).toBe(0);
    expect(after).toBe(503);
    expect(JSON.parse((await th("tunnel", "list", "--json")).out)).toEqual({ tunnels: [] });
    expect((await th("tunnel", "start", "--json")).code).toBe(0);
    expect(await serving()).toBe(origin);
    await eventually(async () => expect(await reach(origin)).toBe(200));
    expect((await th("tunnel", "stop", "not-mine")).code).toBe(1);
  });

  const serving = (): Promise<string> =>
    eventually(async () => {
      const { tunnels } = await json<{ tunnels: { kind: string; url: string }[] }>(th("tunnel", "list", "--json"));
      expect(tunnels).toMatchObject([{ kind: "serving" }]);
      return tunnels[0]?.url ?? "";
    });
  /** As a browser asks: the name in the Host header, the connection to loopback. */
  const reach = (origin: string): Promise<number> => {
    const { host, port } = new URL(origin);
    return new Promise((resolve, reject) => {
      const asked = get({ host: "127.0.0.1", port, headers: { host, accept: "text/html" } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      });
      asked.on("error", reject);
    });
  };
});

describe("smithers", () => {
  const up = (...more: string[]) => smithers("up", flow, "--input", '{"who":"Ann"}', ...more);

  test("up waits with 3; ps, logs, inspect show it; approve lets it finish", async () => {
    const waiting = await up("--run-id", "run-gate00001");
    expect(waiting).toMatchObject({ code: 3, err: expect.stringContaining("run-gate00001") as string });

    const { runs } = await json<Output<"listRuns">>(smithers("ps", "--json"));
    expect(runs.find(({ runId }) => runId === "run-gate00001")).toMatchObject({ status: "waiting", title: "gate.tsx" });
    expect(await json(smithers("inspect", "run-gate00001", "--json"))).toMatchObject({
      run: { status: "waiting" },
      asks: [{ subject: { kind: "approval", nodeId: "gate" } }],
    });
    expect((await smithers("approve", "run-gate00001")).code).toBe(0);
    await status("run-gate00001", "finished");
    expect(await json(smithers("output", "run-gate00001", "greet"))).toEqual({ output: { said: "Hello, Ann" } });
    const events = await json<{ type: string }[]>(smithers("logs", "run-gate00001", "--json"));
    expect(events.at(-1)).toMatchObject({ type: "run.status", status: "finished" });
  });

  test("why names the command that ends a wait, and that command ends it", async () => {
    const example = (name: string): string => join(ROOT, "examples", `${name}.tsx`);
    await smithers("up", example("wait-for-event"), "--run-id", "run-signal0001");
    await smithers("up", example("human-task"), "--run-id", "run-human0001");

    const { reasons } = await json<Output<"explainRun">>(smithers("why", "run-signal0001", "--json"));
    expect(reasons).toMatchObject([{ command: "smithers signal run-signal0001 pr-merged --data '<json>'" }]);
    expect((await smithers("signal", "run-signal0001", "merged")).err).toContain("the run waits for pr-merged");
    const sent = await smithers("signal", "run-signal0001", "pr-merged", "--data", '{"sha":"c0ffee"}');
    expect(sent).toMatchObject({ code: 0, err: "sent: pr-merged, to merge\n" });
    await status("run-signal0001", "finished");
    expect(await json(smithers("output", "run-signal0001", "release"))).toEqual({ output: { released: "c0ffee" } });

    expect((await smithers("why", "run-human0001")).out).toContain("smithers human answer run-human0001::review::0");
    const answer = (value: string) => smithers("human", "answer", "run-human0001::review::0", "--value", value);
    expect(await answer('{"approved":"perhaps"}')).toMatchObject({ code: 4 });
    expect((await answer('{"approved":true,"severity":"low"}')).code).toBe(0);
    await status("run-human0001", "finished");
  });

  test("deny fails it, cancel cancels it, --detach leaves at once", async () => {
    for (const id of ["run-gate00002", "run-gate00003"])
      expect(await up("--run-id", id, "--detach")).toMatchObject({ code: 0, out: `${id}\n` });
    await Promise.all(["run-gate00002", "run-gate00003"].map((id) => status(id, "waiting")));

    expect((await smithers("deny", "run-gate00002")).code).toBe(0);
    expect((await smithers("cancel", "run-gate00003")).code).toBe(0);

    await status("run-gate00002", "failed");
    await status("run-gate00003", "cancelled");
  });

  test("bad input is 4, what is not there 1, and neither starts anything", async () => {
    // Their ids: a run that is over may still be told something, and then has another time.
    const started = async () =>
      (await json<Output<"listRuns">>(smithers("ps", "--json"))).runs.map(({ runId }) => runId);
    const before = await started();
    const codes = await Promise.all([
      smithers("up", flow, "--input", "{"),
      smithers("up", flow, "--input", '{"who":7}'),
      smithers("up", join(house.dir, "nothing.tsx")),
      smithers("approve", "run-gate00002"),
      smithers("inspect", "run-9unknown"),
      smithers("ps", "--status", "sleepy"),
      smithers("dance"),
    ]);

    expect(codes.map(({ code }) => code)).toEqual([4, 4, 4, 1, 1, 4, 4]); // 1: no such file, nothing waits, no such run
    expect(codes.map(({ out, err }) => [out, err.split("\n").length])).toEqual(codes.map(() => ["", 3])); // what, what next
    expect(await started()).toEqual(before);
  });

  const status = (runId: string, wanted: string): Promise<void> =>
    eventually(async () =>
      expect(await json(smithers("inspect", runId, "--json"))).toMatchObject({ run: { status: wanted } }),
    );
});

describe("th: down and up", () => {
  test("down stops the host; then every command says so; up --detach brings the same runs back", async () => {
    const pid = house.hostPid();
    expect(await th("down")).toMatchObject({ code: 0, err: "the host stopped\n" });
    expect(isRunning(pid)).toBe(false);
    expect(existsSync(join(house.home, "host.json"))).toBe(false);
    const offline = [await th("status"), await th("pearls", "list"), await smithers("ps")];
    expect(offline.map(({ code }) => code)).toEqual([1, 1, 1]);
    expect(offline[0]?.err).toContain("start it with `th up`");

    const up = await th("up", "--detach");
    expect(up).toMatchObject({ code: 0, out: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\n$/) as string });
    expect(await json(smithers("inspect", "run-gate00001", "--json"))).toMatchObject({ run: { status: "finished" } });
    expect((await th("down")).code).toBe(0);
    expect(readFileSync(join(house.home, "host.log"), "utf8")).toContain("http://127.0.0.1:");
  });
});
