import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { systemClock } from "@smooth/platform/node/system";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Vm, VmDriver } from "../driver.ts";
import { run } from "../run.ts";
import { sharedQemu } from "../testing/shared-qemu.ts";

/** Effects on a real machine: what a guest cannot do, and what is left when things die. */

let driver: VmDriver;
let vm: Vm;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "vm-iso-"));
  driver = sharedQemu();
  await driver.prepare();
  vm = await driver.create({
    name: "prisoner",
    onEgress: (connection) =>
      connection.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"),
  });
});
afterAll(async () => {
  await vm?.kill();
  await rm(folder, { recursive: true, force: true });
});

const bash = (script: string) => run(vm, { argv: ["bash", "-c", script], timeoutMs: 280_000 });

describe("P3: the relay is the only way out", () => {
  test("there is no network but loopback, and no route", async () => {
    const { stdout } = await bash("ls /sys/class/net; tail -n +2 /proc/net/route | wc -l");

    expect(stdout).toBe("lo\n0\n");
  });

  test("raw TCP fails: to the world, to the usual host addresses, to a port that listens on the host", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const targets = ["1.1.1.1/443", "10.0.2.2/80", `127.0.0.1/${port}`];

    for (const target of targets)
      expect((await bash(`exec 3<>/dev/tcp/${target}`)).outcome).toEqual({ kind: "exited", code: 1 });
    server.close();
  });

  test("UDP and names go nowhere", async () => {
    expect((await bash("exec 3<>/dev/udp/8.8.8.8/53 && echo x >&3")).outcome).toEqual({ kind: "exited", code: 1 });
    expect((await bash("getent hosts example.com")).outcome).toEqual({ kind: "exited", code: 2 });
  });

  test("AF_VSOCK does not exist", async () => {
    const { outcome, stderr } = await bash(`perl -e 'socket(my $s, 40, 1, 0) or die "vsock: $!"'`);

    expect(outcome).toMatchObject({ kind: "exited" });
    expect(stderr).toContain("vsock: Address family not supported");
  });

  test("a proxied request gets exactly what the host answers; without the proxy nothing", async () => {
    expect((await bash("curl -sS -m 100 -w ' %{http_code}' http://example.com/")).stdout).toBe("no 403");
    expect((await bash("curl -sS -m 10 --noproxy '*' http://example.com/")).outcome).toEqual({
      kind: "exited",
      code: 6,
    });
  });
});

describe("a hostile guest", () => {
  test("cannot write outside through a folder that became a link, nor by names with ..", async () => {
    await bash("mkdir -p /workspace/e/dir && echo one > /workspace/e/dir/file");
    await vm.getTree({ from: "/workspace/e", to: join(folder, "host") });
    await bash(
      `rm -r /workspace/e/dir && ln -s ${folder} /workspace/e/dir && mkdir /workspace/e/sub && ln -s .. /workspace/e/sub/up`,
    );
    const report = await vm.getTree({ from: "/workspace/e", to: join(folder, "host") });
    // A tar of its own making, in place of the guest's tool.
    await bash(
      `cp /usr/bin/tar /root/tar.real; printf '#!/bin/sh\\ncd /; /root/tar.real -cPf - --transform "s,^etc/hostname,../escaped," etc/hostname\\n' > /usr/local/bin/tar; chmod +x /usr/local/bin/tar`,
    );
    const forged = await vm.getTree({ from: "/workspace/e", to: join(folder, "host") });
    await bash("rm /usr/local/bin/tar");

    expect(report.refused).toEqual([{ path: "./dir", reason: "link leaves the tree" }]);
    expect(forged).toMatchObject({ files: 0, refused: [{ path: "../escaped", reason: "path leaves the tree" }] });
    expect(await readdir(folder)).toEqual(["host"]);
  });

  test("may eat all its memory: the eater dies, the agent answers", async () => {
    const { outcome } = await bash(`perl -e 'my @a; push @a, "x" x 10_000_000 while 1'`);

    expect(outcome).toEqual({ kind: "signaled", signal: "SIGKILL" });
    expect((await bash("echo alive")).stdout).toBe("alive\n");
  });

  test.each(["th.agent", "th.goalie"])("that talks nonsense on %s loses its VM; nobody else notices", async (port) => {
    const rogue = await driver.create({ name: "rogue" });
    // The agent holds both ports and the kernel lets one opener in, so the descriptor is taken from it (pidfd_getfd).
    const thief = `my $pid = \`pgrep -f run/th/guest.mjs\`; my $pidfd = syscall(434, int($pid), 0);
      my ($dev) = map { m,([^/]+)/name$, } grep { open(my $f, "<", $_); <$f> =~ /^${port}$/ } glob("/sys/class/virtio-ports/*/name");
      for (0..60) { my $fd = syscall(438, $pidfd, $_, 0); next if $fd < 0 || readlink("/proc/self/fd/$fd") !~ /$dev/; open(my $out, ">&=", $fd); syswrite($out, "\xff" x 4096); } sleep;`; // it stays: its end would be told on the agent's port, and may overtake what it said on the other
    const exec = rogue.exec({ argv: ["perl", "-e", thief], timeoutMs: 120_000 });
    exec.stdout.resume();
    exec.stderr.resume();

    expect(await exec.outcome).toEqual({ kind: "vm-gone" });
    expect((await rogue.stopped).kind).toBe("faulted");
    expect((await bash("echo unharmed")).stdout).toBe("unharmed\n");
  });

  test("that ends the agent ends its VM", async () => {
    const rogue = await driver.create({ name: "rogue" });
    const { outcome } = await run(rogue, { argv: ["pkill", "-KILL", "-f", "run/th/guest.mjs"] });

    expect(outcome).toEqual({ kind: "vm-gone" });
    expect((await rogue.stopped).kind).toBe("died");
  });
});

test("clones of one snapshot differ in randomness, name and machine id, and know the time", async () => {
  const facts = async (name: string): Promise<string[]> => {
    await using clone = await driver.create({ name });
    const { stdout } = await run(clone, {
      argv: [
        "sh",
        "-c",
        "cat /proc/sys/kernel/random/uuid; head -c 16 /dev/urandom | od -An -tx1; hostname; cat /etc/machine-id; date +%s",
      ],
    });
    return stdout.trim().split("\n");
  };
  const first = await facts("first");
  const fromS = systemClock.now() / 1000;
  const second = await facts("second");
  const untilS = systemClock.now() / 1000;

  for (const at of [0, 1, 2, 3]) expect(first[at]).not.toBe(second[at]);
  expect([first[2], second[2]]).toEqual(["first", "second"]);
  expect(Number(second[4])).toBeGreaterThan(fromS - 5);
  expect(Number(second[4])).toBeLessThan(untilS + 5);
});

test("several VMs run at once and do not see each other", async () => {
  const vms = await Promise.all([1, 2, 3].map((number) => driver.create({ name: `twin-${number}`, memoryMb: 768 })));
  await Promise.all(vms.map((each) => each.writeFile("/workspace/name", Buffer.from(each.id))));

  expect(await Promise.all(vms.map(async (each) => (await each.readFile("/workspace/name")).toString()))).toEqual(
    vms.map(({ id }) => id),
  );
  await Promise.all(vms.map((each) => each.kill()));
});

test("a VM that nobody uses goes by itself, one in use stays", async () => {
  const idle = await driver.create({ limits: { idleMs: 300 } });
  const busy = await driver.create({ limits: { idleMs: 300 } });
  const work = run(busy, { argv: ["sleep", "2"] });

  expect(await idle.stopped).toEqual({ kind: "limit", limit: "idleMs" });
  expect((await work).outcome).toEqual({ kind: "exited", code: 0 });
  expect(await busy.stopped).toEqual({ kind: "limit", limit: "idleMs" });
});

describe("what is left behind", () => {
  test("nothing after a kill", async () => {
    const doomed = await driver.create({});
    expect(await qemusOf(doomed.id)).not.toEqual([]);

    await doomed.kill();

    expect(await qemusOf(doomed.id)).toEqual([]);
  });

  test("no QEMU after the host process is killed; its folder goes with the next reap, others' stay", async () => {
    const runDir = await mkdtemp(join(tmpdir(), "th-orphan-"));
    const code = `import { sharedQemu } from "${pathToFileURL(join(import.meta.dirname, "../testing/shared-qemu.ts"))}";
      const vm = await sharedQemu({ runDir: ${JSON.stringify(runDir)} }).create({});
      console.log(vm.id); setInterval(() => {}, 60_000);`;
    const host = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(host.stdout, "data")) as [Buffer];
    const id = line.toString().trim();
    const neighbours = sharedQemu({ runDir });
    const alive = await neighbours.create({});
    expect(await qemusOf(id)).not.toEqual([]);

    host.kill("SIGKILL");
    await once(host, "exit");
    await until(async () => (await qemusOf(id)).length === 0);
    expect(await neighbours.reap()).toBe(1);
    expect(await readdir(runDir)).toEqual([alive.id]);
    await alive.kill();
    expect(await readdir(runDir)).toEqual([]);
    await rm(runDir, { recursive: true });
  });

  test("a boot that misses its deadline is TIMED_OUT and leaves nothing", async () => {
    const runDir = await mkdtemp(join(tmpdir(), "th-late-"));

    await expect(sharedQemu({ runDir, warmStart: false }).create({ limits: { bootMs: 50 } })).rejects.toMatchObject({
      code: "TIMED_OUT",
    });
    expect(await readdir(runDir)).toEqual([]);
    await rm(runDir, { recursive: true });
  });
});

test("QEMU itself is locked up: no network, no capabilities, seccomp on", async () => {
  const pids = (await qemusOf(vm.id)).filter((pid) => readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("qemu"));
  expect(pids).toHaveLength(1);
  const status = readFileSync(`/proc/${pids[0]}/status`, "utf8");

  expect(status).toMatch(/CapEff:\s+0+\n/);
  expect(status).toMatch(/Seccomp:\s+2/);
  expect(readFileSync(`/proc/${pids[0]}/net/dev`, "utf8")).not.toMatch(/eth|ens|enp/);
});

/** Processes that have this VM's run folder on their command line or mounted. */
async function qemusOf(id: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const mentions = await Promise.all(
    pids.map(async (pid) => {
      const [command, mounts] = await Promise.all([
        readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""),
        readFile(`/proc/${pid}/mountinfo`, "utf8").catch(() => ""),
      ]);
      return existsSync(`/proc/${pid}`) && (command.includes(id) || mounts.includes(id));
    }),
  );
  return pids.filter((_, at) => mentions[at]);
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await systemClock.sleep(20);
}
