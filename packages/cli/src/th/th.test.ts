import { execFile } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { RUN_ID } from "@smooth/gateway/testing";
import { GATEWAY } from "@smooth/protocol/gateway";
import { PearlId } from "@smooth/protocol/ids";
import { approvalAsk, networkAsk, runSummary } from "../testing/fake-host.ts";
import { bench, BIN, emptyHome, ended, start } from "../testing/run-bin.ts";

const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");

describe("without a host", () => {
  test("R2: a failure is two lines, what failed and what to do, and nothing on stdout", async () => {
    const home = emptyHome();
    const { code, out, err } = await ended(start(BIN.th, ["pearls", "list"], { home }));

    expect({ code, out, err: lines(err) }).toEqual({
      code: 1,
      out: "",
      err: [`no host is running (nothing at ${home}/host.json)`, "start it with `th up`"],
    });
  });

  test("a host that is gone is told apart", async () => {
    const home = emptyHome();
    writeFileSync(join(home, "host.json"), JSON.stringify({ url: "http://127.0.0.1:1", token: "x", pid: 1 }));
    const { code, err } = await ended(start(BIN.th, ["status"], { home }));

    expect({ code, err: lines(err) }).toEqual({
      code: 1,
      err: ["no answer from http://127.0.0.1:1", "start it with `th up`"],
    });
  });

  test.each([
    [["perls"], "unknown command 'perls'", "(Did you mean pearls?)"],
    [["pearls", "lst"], "unknown command 'lst'", "(Did you mean list?)"],
    [["pearls", "list", "--jsn"], "unknown option '--jsn'", "(Did you mean --json?)"],
    [["run"], "missing required argument 'pearl'", "see what there is with `th run --help`"],
    [
      ["pause", "the-run"],
      `run "the-run": an id like run-01jcx2…`,
      "correct it and try again; `--help` shows what is expected",
    ],
    [["up", "--port", "many"], "--port", "correct it and try again; `--help` shows what is expected"],
  ])("%j is bad input: exit 4, two lines", async (args, what, next) => {
    const home = emptyHome();
    writeFileSync(join(home, "host.json"), JSON.stringify({ url: "http://127.0.0.1:1", token: "x", pid: 1 }));
    const { code, out, err } = await ended(start(BIN.th, args, { home }));

    expect({ code, out }).toEqual({ code: 4, out: "" });
    expect(lines(err)).toEqual([expect.stringContaining(what), next]);
  });

  test("help is on stdout, exit 0, with one line per command", async () => {
    const { code, out } = await ended(start(BIN.th, ["--help"], { home: emptyHome() }));

    expect(code).toBe(0);
    for (const word of [
      "up",
      "down",
      "status",
      "doctor",
      "auth",
      "pearls",
      "run",
      "operators",
      "pause",
      "resume",
      "steer",
      "cancel",
      "inbox",
      "access",
      "tunnel",
    ]) {
      expect(out).toMatch(new RegExp(`^  ${word}\\b`, "m"));
    }
    expect(out.replaceAll(/\s+/g, " ")).toContain(GATEWAY.steerRun.about);
  });

  test("a group without a verb shows its verbs", async () => {
    const { code, err } = await ended(start(BIN.th, ["pearls"], { home: emptyHome() }));
    expect(code).toBe(4);
    expect(err).toContain("comment");
  });
});

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

describe("access", () => {
  const pearl = "th-abc123";
  test("approve by pearl and domain, at the version that was seen", async () => {
    const { th, host } = await bench();
    host.asks.push(networkAsk("ask-000001", pearl, "npmjs.org"), networkAsk("ask-000002", pearl, "evil.example"));
    const answer = await th(["access", "approve", pearl, "npmjs.org", "--grant", "run"]);

    expect(answer).toMatchObject({ code: 0, err: "approved: May it reach npmjs.org?\n" });
    expect(host.did).toEqual(["approve ask-000001 v3 run"]);
  });

  test("a pearl with two asks decides nothing until one is named", async () => {
    const { th, host } = await bench();
    host.asks.push(networkAsk("ask-000001", pearl, "a.org"), networkAsk("ask-000002", pearl, "b.org"));
    const unclear = await th(["access", "deny", pearl]);
    const named = await th(["access", "deny", "ask-000002", "--note", "no"]);

    expect(unclear).toMatchObject({
      code: 4,
      err: expect.stringContaining("name one: ask-000001, ask-000002") as string,
    });
    expect(named.code).toBe(0);
    expect(host.did).toEqual(["deny ask-000002 v3"]);
  });

  test("what nobody asks for, and what was decided already", async () => {
    const { th, host } = await bench();
    const none = await th(["access", "approve", pearl, "npmjs.org"]);
    host.asks.push({
      ...networkAsk("ask-000001", pearl, "a.org"),
      status: "void",
      voidReason: "x",
      voidAtMs: 1,
    } as never);
    const late = await th(["access", "approve", "ask-000001"]);

    expect(none).toMatchObject({
      code: 1,
      err: `nothing is asked for npmjs.org by ${pearl}\nsee what waits with \`th inbox\`\n`,
    });
    expect(late).toMatchObject({ code: 1, err: expect.stringContaining("bob decided ask-000001 first") as string });
  });

  test("an approval is shown with all that a yes does, cannot move the cursor, and is answered with a choice", async () => {
    const { th, host } = await bench();
    const options = [
      { key: "blue", label: "Blue", summary: "calm" },
      { key: "green", label: "Green" },
    ];
    const ask = approvalAsk("ask-000001", "colour");
    const subject = {
      ...ask.subject,
      summary: "Two ways.\u001B[2J",
      patch: "+one line\n",
      choice: { mode: "select", options },
    };
    host.asks.push({ ...ask, subject } as never);
    const shown = await th(["access", "show", "ask-000001"]);
    const answered = await th(["access", "approve", "ask-000001", "--choose", "green"]);

    expect(shown.out).toContain("why: no rule\n\nTwo ways.\n\n+one line\n\n");
    expect(shown.out).toContain("blue   Blue   calm\ngreen  Green\n");
    expect(answered.code).toBe(0);
    expect(host.did).toEqual(["approve ask-000001 v3 once green"]);
  });

  test("the inbox has all that waits", async () => {
    const { th, host } = await bench();
    host.asks.push(networkAsk("ask-000001", pearl, "a.org"));
    const [plain, json] = [await th(["inbox"]), await th(["access", "pending", "--json"])];

    expect(plain.out).toBe(`ask-000001  ${pearl}  medium  pending  May it reach a.org?\n`);
    expect(JSON.parse(json.out)).toEqual({ asks: host.asks });
  });
});

describe("auth", () => {
  test("P1, P2: keys come by stdin or by name, are not shown, and the rest of the file survives", async () => {
    const { th, home } = await bench();
    const path = join(home, "providers.json");
    writeFileSync(
      path,
      JSON.stringify({
        theme: "dark",
        providers: [{ id: "mine", api_url: "https://x.example/v1", default_model: "m", extra: 1, api_key_env: "OLD" }],
      }),
    );
    const added = await th(["auth", "login", "anthropic", "--key-stdin"], "sk-secret\n");
    await th(["auth", "login", "mine", "--key-env", "MY_KEY"]);
    await th(["auth", "default", "mine", "big"]);
    const listed = await th(["auth", "providers", "--json"]);
    const file = JSON.parse(readFileSync(path, "utf8")) as unknown;

    expect(added).toMatchObject({ code: 0, out: "" });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(file).toMatchObject({
      theme: "dark",
      providers: [
        { id: "anthropic", api_key: "sk-secret" },
        { id: "mine", extra: 1, api_key_env: "MY_KEY" },
      ],
      routing: { "smooth-default": { provider: "mine", model: "big" } },
    });
    expect(listed.out).not.toContain("sk-secret");
    expect(JSON.parse(listed.out)).toMatchObject({
      providers: [
        { id: "anthropic", key: "stored" },
        { id: "mine", key: "$MY_KEY", isDefault: true },
      ],
    });
  });

  test.each([
    [["auth", "login", "openai"], "openai needs a key: --key-stdin, or --key-env <name>"],
    [["auth", "login", "openai", "--key-stdin"], "no key for openai came on stdin"],
    [["auth", "login", "mine", "--key-env", "K"], "provider mine"],
    [["auth", "default", "nobody"], "no provider nobody (configured: none)"],
  ])("%j is refused, and no file appears", async (args, what) => {
    const home = emptyHome();
    const { code, err } = await ended(start(BIN.th, args, { home }));

    expect({ code, what: lines(err)[0] }).toEqual({ code: 4, what: expect.stringContaining(what) as string });
    expect(() => readFileSync(join(home, "providers.json"))).toThrow("ENOENT");
  });

  test("a broken file is named, not overwritten", async () => {
    const { th, home } = await bench();
    writeFileSync(join(home, "providers.json"), "{");
    const { code, err } = await th(["auth", "login", "ollama"]);

    expect({ code, what: lines(err)[0] }).toEqual({
      code: 4,
      what: expect.stringContaining(join(home, "providers.json")) as string,
    });
    expect(readFileSync(join(home, "providers.json"), "utf8")).toBe("{");
  });
});

describe("the host", () => {
  test("status, tunnel and share", async () => {
    const { th } = await bench();
    const [status, json, open, list, stop, link] = await Promise.all([
      th(["status"]),
      th(["status", "--json"]),
      th(["tunnel", "start", "acme"]),
      th(["tunnel", "list", "--json"]),
      th(["tunnel", "stop", "acme"]),
      th(["share", "create", "--role", "viewer"]),
    ]);

    expect(status.out).toContain("sandbox    qemu (emulated-vm)");
    expect(JSON.parse(json.out)).toMatchObject({ name: "laptop" });
    expect(open.out).toBe("https://acme.th.smoo.ai, 0 watching\n");
    expect(JSON.parse(list.out)).toEqual({ tunnels: [] });
    expect(stop).toMatchObject({ code: 1, err: expect.stringContaining("this host has no tunnel acme") as string });
    expect(link.out).toBe("http://127.0.0.1/_session#link=viewer\n");
  });

  test("up serves until it is told to stop; a second up finds the first; down stops it", async () => {
    const home = emptyHome();
    const up = start(BIN.fakeTh, ["up"], { home });
    const first = ended(up);
    await new Promise((resolve) => up.stdout?.once("data", resolve));
    const second = await ended(start(BIN.fakeTh, ["up"], { home }));
    const down = await ended(start(BIN.th, ["down"], { home }));
    const { code, out } = await first;
    const again = await ended(start(BIN.th, ["down"], { home }));

    expect({ code, url: /^http:\/\/127\.0\.0\.1:\d+\n$/.test(out) }).toEqual({ code: 0, url: true });
    expect(second).toMatchObject({ code: 0, err: `a host is already running at ${out}` });
    expect(down).toMatchObject({ code: 0, err: "the host stopped\n" });
    expect(again).toMatchObject({ code: 0, err: "no host was running\n" });
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("R3: %s ends up in order, exit %i", async (signal, exit) => {
    const home = emptyHome();
    const up = start(BIN.fakeTh, ["up"], { home });
    const done = ended(up);
    await new Promise((resolve) => up.stdout?.once("data", resolve));
    up.kill(signal);

    expect((await done).code).toBe(exit);
    expect(() => readFileSync(join(home, "host.json"))).toThrow("ENOENT");
  });

  test("up --detach comes back when the host answers; its host file is private", async () => {
    const home = emptyHome();
    const { code, out } = await ended(start(BIN.fakeTh, ["up", "--detach"], { home }));
    const status = await ended(start(BIN.th, ["status"], { home }));
    const mode = statSync(join(home, "host.json")).mode & 0o777;
    await ended(start(BIN.th, ["down"], { home }));

    expect({ code, url: out.startsWith("http://127.0.0.1:"), status: status.code, mode }).toEqual({
      code: 0,
      url: true,
      status: 0,
      mode: 0o600,
    });
  });

  test("sandbox prepare says what it does, once each, and where the image is", async () => {
    const done = await ended(start(BIN.fakeTh, ["sandbox", "prepare"], { home: emptyHome() }));

    expect(done).toEqual({ code: 0, out: "", err: "kernel\npackages\nthe guest image is ready in /images\n" });
  });

  test("doctor says what to do, and fails while something is missing", async () => {
    const home = emptyHome();
    const [sick, well] = await Promise.all([
      ended(start(BIN.fakeTh, ["doctor"], { home })),
      ended(start(BIN.fakeTh, ["doctor", "--json"], { home, env: { FAKE_QEMU: "1" } })),
    ]);

    expect(sick).toMatchObject({
      code: 1,
      out: "✓ git: 2.39\n✕ qemu: qemu-system-x86_64\n  → apt-get install qemu-system-x86\n",
    });
    expect(well.code).toBe(0);
    expect(JSON.parse(well.out)).toMatchObject({ checks: [{ name: "git" }, { name: "qemu", ok: true }] });
  });
});

test("colour only where it is wanted", async () => {
  const home = emptyHome();
  const doctor = (env: Record<string, string>) => ended(start(BIN.fakeTh, ["doctor"], { home, env }));
  const [piped, forced, refused] = await Promise.all([
    doctor({}),
    doctor({ FORCE_COLOR: "1" }),
    doctor({ NO_COLOR: "1" }),
  ]);

  expect(piped.out).not.toContain("\u001B");
  expect(forced.out).toContain("\u001B[32m");
  expect(refused.out).not.toContain("\u001B");
});

test("the example in the README runs", async () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const script = /```sh\n(.*?)```/s.exec(readme)?.[1] ?? "";
  const { home } = await bench();
  const shell = `th() { "${process.execPath}" "${BIN.th}" "$@"; }\n${script}`;
  const { stdout } = await promisify(execFile)("sh", ["-ec", shell], {
    env: { PATH: process.env["PATH"], SMOOTH_HOME: home },
  });

  expect(stdout).toMatch(/^th-[0-9a-z]+\n\{[^]*"Build the door"[^]*\}\n$/);
});
