import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { firstWorking, networkWall, WALLS, type Argv, type NetworkWall } from "./network-wall.node.ts";
import { runCommand } from "./node-run.node.ts";
import { openNodeWorkspace } from "./node-workspace.node.ts";

let folder: string;
let server: Server;
let runSocket: Server | undefined;
let heard: number;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "wall-"));
  heard = 0;
  server = await listen(0);
});
afterEach(async () => {
  for (const open of [server, runSocket]) await new Promise((resolve) => (open ? open.close(resolve) : resolve(null)));
  runSocket = undefined;
  rmSync(folder, { recursive: true });
});

function listen(where: number | string): Promise<Server> {
  const made = createServer((socket) => {
    heard += 1;
    socket.end();
  });
  const at = typeof where === "number" ? { port: where, host: "127.0.0.1" } : { path: where };
  return new Promise((resolve, reject) => {
    made.once("error", reject);
    made.listen(at, () => resolve(made));
  });
}

const port = () => (server.address() as AddressInfo).port;
const connect = () => `exec 3<>/dev/tcp/127.0.0.1/${port()} && echo through`;
const env = { PATH: process.env["PATH"] };
const workspace = (network: "open" | "none") =>
  openNodeWorkspace(folder, { env, marker: `wall-${process.pid}`, network });
const sh = (line: string) => ({ argv: ["bash", "-c", line] as Argv, timeoutMs: 200_000, maxOutputBytes: 10_000 });

test("with an open network a command reaches a listener on this machine: what the other tests look for can be seen", async () => {
  expect(await workspace("open").run(sh(connect()))).toMatchObject({ kind: "exited", code: 0, output: "through\n" });
  await expect.poll(() => heard).toBe(1);
});

test("W3: where no wall works there is none", async () => {
  const broken: NetworkWall = { name: "unshare", around: (argv) => ["no-such-program", ...argv] };
  const refusing: NetworkWall = { name: "unshare", around: () => ["false"] };

  expect(await firstWorking([broken, refusing])).toBeNull();
});

const wall = await networkWall();

describe.skipIf(!wall)("behind the wall of this machine", () => {
  const attempts: readonly [string, () => string][] = [
    ["bash itself", connect],
    ["a renamed program", () => `cp "$(command -v bash)" ./innocent && ./innocent -c '${connect()}'`],
    ["a background process that outlives its shell", () => `(sleep 0.2; ${connect()}) & sleep 0.5`],
    ["a session of its own", () => `setsid bash -c '${connect()}'`],
    ["the namespace of another process", () => `nsenter --net=/proc/1/ns/net bash -c '${connect()}'`],
    [
      "every process it can see",
      () => `for p in /proc/[0-9]*; do nsenter --net=$p/ns/net bash -c '${connect()}'; done`,
    ],
  ];

  test.each(attempts)("W1: the listener hears nothing from %s", async (_, line) => {
    const exit = await workspace("none").run(sh(line()));

    expect(exit.kind === "exited" && exit.output).not.toContain("through");
    expect(heard).toBe(0);
  });

  test.skipIf(process.getuid?.() !== 0)("W2: a daemon's socket in /run is not there", async () => {
    const path = `/run/wall-test-${process.pid}.sock`;
    runSocket = await listen(path);
    const ask = `node -e 'require("net").connect("${path}").on("connect",()=>console.log("through")).on("error",e=>console.log(e.code))'`;

    expect(await workspace("open").run(sh(ask))).toMatchObject({ output: "through\n" });
    expect(await workspace("none").run(sh(ask))).toMatchObject({ output: "ENOENT\n" });
    expect(heard).toBe(1);
  });

  test("W1: no process outside is visible", async () => {
    const line = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '";

    expect(await workspace("open").run(sh(line))).toMatchObject({ output: expect.stringContaining("vitest") });
    expect(await workspace("none").run(sh(line))).not.toMatchObject({ output: expect.stringContaining("vitest") });
  });

  test("everything else works as before: files, working folder, exit code, timeout", async () => {
    const behind = workspace("none");

    expect(await behind.run(sh("echo hi > made.txt && cat made.txt && pwd && exit 3"))).toMatchObject({
      kind: "exited",
      code: 3,
      output: `hi\n${behind.root}\n`,
    });
    expect(await behind.read("made.txt", 100)).toMatchObject({ kind: "ok" });
    const late = await behind.run({ ...sh("setsid sleep 77.5 & sleep 78.5"), timeoutMs: 300 });
    expect(late).toMatchObject({ kind: "killed", by: "timeout" });
    const left = await workspace("open").run(sh("pgrep -f 'sleep 7[78].5' || true"));
    expect(left).toMatchObject({ output: "" });
  });
});

test.each(WALLS)("the wall of $name alone holds too", async (wall) => {
  if (!(await firstWorking([wall]))) return;
  const marked = `/run/wall-test-${process.pid}.pid`;
  if (process.getuid?.() === 0) writeFileSync(marked, "");
  const line = `${connect()}; nsenter --net=/proc/1/ns/net bash -c '${connect()}'; ls -A /run | wc -l; echo tried`;
  const { argv, ...rest } = sh(line);

  const exit = await runCommand({ ...rest, argv: wall.around(argv, folder) }, { cwd: folder, env, marker: "wall" });

  expect(exit).toMatchObject({ kind: "exited", output: expect.stringMatching(/(?:^|\n)0\ntried/) });
  rmSync(marked, { force: true });
  expect(heard).toBe(0);
});

/** What a script says on a machine that has no wall. */
function withoutWall(script: string): unknown {
  const at = (name: string) => JSON.stringify(join(import.meta.dirname, name));
  const imports = `import { openNodeWorkspace } from ${at("node-workspace.node.ts")};
    import { bash } from ${at("../task/built-in.node.ts")};
    import { bindTools } from ${at("../task/scope.node.ts")};
    const folder = ${JSON.stringify(folder)};`;
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", imports + script], {
    encoding: "utf8",
    env: { PATH: "/nonexistent" },
  });
  return JSON.parse(stdout);
}

test("W3: a workspace without network on a machine that has no wall starts nothing, and says what is missing", () => {
  const said = withoutWall(`
    const workspace = openNodeWorkspace(folder, { env: {}, marker: "no-wall", network: "none" });
    console.log(JSON.stringify(await workspace.run({ argv: [process.execPath, "-e", ""], timeoutMs: 60000, maxOutputBytes: 100 })));`);

  expect(said).toMatchObject({ kind: "not-started", message: expect.stringContaining("bubblewrap") });
});

test("B2: a task's command there is SANDBOX_UNAVAILABLE, unless the run allows the network", () => {
  const said = withoutWall(`
    const scope = { runId: "r", nodeId: "n", iteration: 0, attempt: 1, idempotencyKey: "k", allowTools: null,
      signal: new AbortController().signal, toolLog: { begin: async () => () => {} } };
    const tried = (allowNetwork) => bindTools({ rootDir: folder, allowNetwork })(scope, () =>
      bash.execute({ cmd: process.execPath, args: ["-e", "console.log(7)"] }).catch((error) => error.code));
    console.log(JSON.stringify([await tried(false), await tried(true)]));`);

  expect(said).toEqual(["SANDBOX_UNAVAILABLE", "7\n"]);
});
