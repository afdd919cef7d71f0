import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Duplex } from "node:stream";
import { toSmoothError } from "@smooth/protocol/errors";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Capability, type Vm, type VmDriver, WORKSPACE } from "./driver.ts";
import { run } from "./run.ts";

/** What every driver does alike. The suite keeps one VM for the reading tests and makes its own where it ends one.
 *  What a driver says it lacks is not skipped: it must then be refused, or be as the lack says. */
export function runVmContract(openDriver: () => VmDriver): void {
  let driver: VmDriver;
  let vm: Vm;
  let folder: string;
  let lacks: ReadonlySet<Capability>;
  const connections: string[] = [];
  const at = (path: string): string => `${vm.workspace}/${path}`;

  beforeAll(async () => {
    driver = openDriver();
    const probe = await driver.probe();
    lacks = new Set(probe.kind === "usable" ? probe.lacks.map(({ capability }) => capability) : []);
    folder = await mkdtemp(join(tmpdir(), "vm-contract-"));
    await driver.prepare();
    vm = await driver.create({ name: "contract", onEgress: (connection) => answer(connection, connections) });
  });
  afterAll(async () => {
    await vm?.kill();
    await rm(folder, { recursive: true, force: true });
  });

  test("V1: probe says what it is, without throwing", async () => {
    expect(await driver.probe()).toMatchObject({ kind: "usable", level: vm.level });
  });

  describe("exec", () => {
    test("answers the exit code and both outputs", async () => {
      expect(await run(vm, { argv: ["echo", "a b"] })).toEqual({
        outcome: { kind: "exited", code: 0 },
        stdout: "a b\n",
        stderr: "",
        droppedBytes: 0,
      });
      expect(await run(vm, { argv: ["cat", "missing"] })).toMatchObject({
        outcome: { kind: "exited", code: 1 },
        stdout: "",
        stderr: expect.stringContaining("missing"),
      });
    });

    test("arguments are passed as they are: nothing reads them as shell", async () => {
      expect((await run(vm, { argv: ["echo", "$(id); `id`", "*"] })).stdout).toBe("$(id); `id` *\n");
    });

    test("a program that does not exist is an outcome", async () => {
      expect((await run(vm, { argv: ["no-such-program"] })).outcome).toMatchObject({ kind: "not-started" });
    });

    test("runs in the workspace with the proxy set, unless asked otherwise", async () => {
      expect((await run(vm, { argv: ["pwd"] })).stdout).toBe(`${vm.workspace}\n`);
      expect((await run(vm, { argv: ["pwd"], cwd: "/tmp" })).stdout).toBe("/tmp\n");
      const proxy = (await run(vm, { argv: ["printenv", "https_proxy"] })).stdout;
      expect(proxy).toMatch(lacks.has("walls") ? /^http:\/\/127\.0\.0\.1:\d+\n$/ : /^http:\/\/127\.0\.0\.1:3128\n$/);
      expect(vm.workspace === WORKSPACE).toBe(!lacks.has("walls"));
      expect((await run(vm, { argv: ["printenv", "GREETING"], env: { GREETING: "hi" } })).stdout).toBe("hi\n");
    });

    test("streams stdin through, larger than any window, byte for byte", async () => {
      const exec = vm.exec({ argv: ["cat"] });
      const sent = Buffer.alloc(1_500_000, "0123456789abcdef");
      exec.stdin.end(sent);
      exec.stderr.resume();

      expect((await text(exec.stdout)) === sent.toString()).toBe(true);
      expect(await exec.outcome).toEqual({ kind: "exited", code: 0 });
    });

    test("run keeps what fits and counts the rest", async () => {
      const { stdout, droppedBytes } = await run(vm, { argv: ["cat"], stdin: "x".repeat(500_000), maxOutputBytes: 10 });

      expect([stdout, droppedBytes]).toEqual(["x".repeat(10), 499_990]);
    });

    test("a signal ends the process and is named in the outcome", async () => {
      const exec = vm.exec({ argv: ["sleep", "100"] });
      exec.stdout.resume();
      exec.stderr.resume();
      exec.signal("SIGTERM");

      expect(await exec.outcome).toEqual({ kind: "signaled", signal: "SIGTERM" });
    });

    test("a deadline kills", async () => {
      expect((await run(vm, { argv: ["sleep", "100"], timeoutMs: 300 })).outcome).toEqual({ kind: "timed-out" });
    });
  });

  describe("trees", () => {
    test("go in and come back the same, links and modes included, exclusions left out", async () => {
      const from = join(folder, "in");
      await mkdir(join(from, "src/deep"), { recursive: true });
      await mkdir(join(from, "node_modules/x"), { recursive: true });
      const longName = `${"n".repeat(120)}.txt`;
      await writeFile(join(from, "src/deep", longName), "long");
      await writeFile(join(from, "run.sh"), "#!/bin/sh\n", { mode: 0o755 });
      await writeFile(join(from, "node_modules/x/index.js"), "no");
      await symlink("../run.sh", join(from, "src/link"));
      await symlink("/etc/passwd", join(from, "outside"));

      expect(await vm.putTree({ from, to: at("t"), exclude: ["node_modules"] })).toEqual({
        files: 2,
        bytes: 14,
        skipped: ["outside"],
      });
      const report = await vm.getTree({ from: at("t"), to: join(folder, "out") });

      expect(report).toEqual({ files: 2, bytes: 14, refused: [] });
      expect((await readdir(join(folder, "out"))).toSorted()).toEqual(["run.sh", "src"]);
      expect(await readFile(join(folder, "out/src/deep", longName), "utf8")).toBe("long");
      expect(await readFile(join(folder, "out/src/link"), "utf8")).toBe("#!/bin/sh\n");
    });

    test("changes are told since a stamp, deletions too, and can be fetched alone", async () => {
      await vm.writeFile(at("c/kept.txt"), Buffer.from("1"));
      await vm.writeFile(at("c/gone.txt"), Buffer.from("1"));
      const before = await vm.changes(at("c"));
      await vm.writeFile(at("c/new.txt"), Buffer.from("2"));
      await run(vm, { argv: ["rm", at("c/gone.txt")] });

      const after = await vm.changes(at("c"), { since: before.stamp });
      expect(before.changed).toEqual(["gone.txt", "kept.txt"]);
      expect([after.changed, after.deleted]).toEqual([["new.txt"], ["gone.txt"]]);
      await vm.getTree({ from: at("c"), to: join(folder, "delta"), paths: after.changed });
      expect(await readdir(join(folder, "delta"))).toEqual(["new.txt"]);
    });

    test("a link out of the tree is refused and reported, the rest arrives", async () => {
      await vm.writeFile(at("h/fine.txt"), Buffer.from("ok"));
      await run(vm, { argv: ["ln", "-s", "/etc/passwd", at("h/evil")] });
      const report = await vm.getTree({ from: at("h"), to: join(folder, "hostile") });

      expect(report.refused).toEqual([{ path: expect.stringContaining("evil"), reason: "link leaves the tree" }]);
      expect(await readdir(join(folder, "hostile"))).toEqual(["fine.txt"]);
    });

    test("over the cap nothing is accepted in either direction", async () => {
      await vm.writeFile(at("big/b"), Buffer.alloc(3_000));
      await mkdir(join(folder, "big"));
      await writeFile(join(folder, "big/b"), Buffer.alloc(3_000));

      await expect(vm.getTree({ from: at("big"), to: join(folder, "never"), maxBytes: 2_000 })).rejects.toMatchObject({
        code: "PAYLOAD_TOO_LARGE",
      });
      await expect(vm.putTree({ from: join(folder, "big"), to: at("never"), maxBytes: 2_000 })).rejects.toMatchObject({
        code: "PAYLOAD_TOO_LARGE",
      });
    });
  });

  test("files are written and read, within their limit", async () => {
    await vm.writeFile(at("deep/er/file.bin"), Buffer.from([0, 1, 255]));

    expect(await vm.readFile(at("deep/er/file.bin"))).toEqual(Buffer.from([0, 1, 255]));
    await expect(vm.readFile(at("deep/er/file.bin"), 2)).rejects.toMatchObject({ code: "SANDBOX_FAILED" });
    await expect(vm.readFile(at("none"))).rejects.toMatchObject({ code: "SANDBOX_FAILED" });
  });

  test("a connection of the guest arrives at onEgress, and its answer goes back", async () => {
    const { stdout } = await run(vm, { argv: ["curl", "-sS", "http://api.test/hello"] });

    expect(stdout).toBe("from the host");
    expect(connections.at(-1)).toContain("GET http://api.test/hello HTTP/1.1");
  });

  test("stats answer", async () => {
    expect((await vm.stats()).uptimeMs).toBeGreaterThanOrEqual(0);
  });

  test("V4: without onEgress a connection goes nowhere", async () => {
    await using mute = await driver.create({ name: "mute" });
    const { outcome } = await run(mute, { argv: ["curl", "-sS", "http://api.test/"] });

    expect(outcome).toMatchObject({ kind: "exited" });
    expect(outcome).not.toMatchObject({ code: 0 });
  });

  test("a clone of a snapshot has the files but is its own machine; who makes no snapshots says so", async () => {
    await using original = await driver.create({ name: "original" });
    const marker = `${original.workspace}/marker`;
    await original.writeFile(marker, Buffer.from("before"));
    const path = join(folder, "snapshot");
    const saved = await codeOf(original.snapshot(path));
    await original.writeFile(marker, Buffer.from("after"));
    const clone = driver.create({ name: "clone", from: { path } });
    const started = await codeOf(clone);
    const seen = await clone.then(
      async (vm) => [vm.restored, vm.id === original.id, String(await vm.readFile(marker))],
      () => [],
    );
    await clone.then(
      (vm) => vm.kill(),
      () => {},
    );

    expect(String(await original.readFile(marker))).toBe("after");
    expect([saved, started, ...seen]).toEqual(
      lacks.has("snapshot") ? ["SANDBOX_UNAVAILABLE", "SANDBOX_UNAVAILABLE"] : ["done", "done", true, false, "before"],
    );
  });

  test("a snapshot is refused while an exec runs", async () => {
    const exec = vm.exec({ argv: ["sleep", "100"] });
    exec.stdout.resume();
    exec.stderr.resume();

    await expect(vm.snapshot(join(folder, "refused"))).rejects.toMatchObject({ code: "CONFLICT" });
    exec.signal("SIGKILL");
    await exec.outcome;
  });

  test("killing ends what runs, tells the reason once, and is harmless twice", async () => {
    const doomed = await driver.create({});
    const exec = doomed.exec({ argv: ["sleep", "100"] });
    exec.stdout.resume();
    exec.stderr.resume();
    await Promise.all([doomed.kill(), doomed.kill()]);

    expect(await doomed.stopped).toEqual({ kind: "killed" });
    expect(await exec.outcome).toEqual({ kind: "vm-gone" });
    expect((await run(doomed, { argv: ["true"] })).outcome).toEqual({ kind: "vm-gone" });
    await expect(doomed.readFile("/etc/hostname")).rejects.toMatchObject({ code: "SANDBOX_FAILED" });
  });

  test("stopping is asked of the guest, and happens", async () => {
    const polite = await driver.create({});
    await polite.stop();

    expect(await polite.stopped).toEqual({ kind: "stopped" });
  });

  test("a wall limit ends the VM", async () => {
    const brief = await driver.create({ limits: { wallMs: 400 } });

    expect(await brief.stopped).toEqual({ kind: "limit", limit: "wallMs" });
  });
}

/** "done", or the code of the refusal. */
function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "done",
    (error: unknown) => toSmoothError(error).code,
  );
}

/** A host that answers every request. */
function answer(connection: Duplex, log: string[]): void {
  connection.once("data", (chunk: Buffer) => {
    log.push(chunk.toString());
    connection.end("HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\nfrom the host");
  });
}
