/** `th` as a program: what it says, how it ends, and the host it is for. */
import { execFile } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { GATEWAY } from "@smooth/protocol/gateway";
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
