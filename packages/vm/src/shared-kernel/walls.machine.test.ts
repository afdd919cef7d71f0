import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { systemClock } from "@smooth/platform/node/system";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Vm, VmDriver } from "../driver.ts";
import { run } from "../run.ts";
import { sharedKernelOptions } from "../testing/shared-kernel.ts";
import { bubblewrapDriver } from "./bubblewrap-driver.ts";

/** Effects of a namespace guest: what it cannot do, and what is left when things die. */

let driver: VmDriver;
let vm: Vm;
let folder: string;
const secret = "a file of the host";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "vm-walls-"));
  await writeFile(join(folder, "secret"), secret, { mode: 0o644 });
  await chmod(folder, 0o755);
  driver = bubblewrapDriver(sharedKernelOptions());
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

const bash = (script: string, of: Vm = vm) => run(of, { argv: ["bash", "-c", script], timeoutMs: 280_000 });
const AS_NOBODY = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
const failed = { kind: "exited", code: 1 };

describe("P3: the relay is the only way out", () => {
  test("N1: there is no network but loopback, and no route", async () => {
    expect((await bash("tail -n +3 /proc/net/dev | cut -d: -f1; tail -n +2 /proc/net/route | wc -l")).stdout).toBe(
      "    lo\n0\n",
    );
  });

  test("raw TCP fails: to the world, to the usual host addresses, to a port that listens on the host", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };

    for (const target of ["1.1.1.1/443", "10.0.2.2/80", "172.17.0.1/80", `127.0.0.1/${port}`])
      expect((await bash(`exec 3<>/dev/tcp/${target}`)).outcome).toEqual(failed);
    server.close();
  });

  test("UDP and names go nowhere", async () => {
    expect((await bash("exec 3<>/dev/udp/8.8.8.8/53 && echo x >&3")).outcome).toEqual(failed);
    expect((await bash("getent hosts example.com")).outcome).toEqual({ kind: "exited", code: 2 });
  });

  test("no Unix socket of the host answers, neither by path nor by abstract name", async () => {
    const path = join(folder, "door.sock");
    const servers = [path, "\0th-walls-test"].map((name) => createServer().listen(name));
    await Promise.all(servers.map((server) => once(server, "listening")));
    const dial = (name: string): string =>
      `use Socket; socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die; connect($s, pack_sockaddr_un("${name}")) or die "$!\n"`;

    for (const name of [path, "\\0th-walls-test"]) {
      const { outcome, stderr } = await run(vm, { argv: ["perl", "-e", dial(name)] });
      expect(outcome).not.toMatchObject({ code: 0 });
      expect(stderr).toMatch(/No such file|Connection refused/);
    }
    for (const server of servers) server.close();
  });

  test.each([
    ["AF_VSOCK", 40],
    ["AF_ALG", 38],
    ["AF_PACKET", 17],
    ["AF_BLUETOOTH", 31],
  ])("C1: %s does not exist", async (_, family) => {
    const { stderr } = await run(vm, { argv: ["perl", "-e", `socket(my $s, ${family}, 3, 0) or die "$!\n"`] });

    expect(stderr).toBe("Address family not supported by protocol\n");
  });

  test("a proxied request gets exactly what the host answers; without the proxy nothing", async () => {
    expect((await bash("curl -sS -m 100 -w ' %{http_code}' http://example.com/")).stdout).toBe("no 403");
    expect((await bash("curl -sS -m 10 --noproxy '*' http://example.com/")).outcome).toEqual({
      kind: "exited",
      code: 6,
    });
  });
});

describe("N1: the host's files", () => {
  test("that nobody gave are not there, through whatever path", async () => {
    expect((await bash(`cat ${folder}/secret`)).outcome).toEqual(failed);
    expect((await bash("ls /home /etc/shadow /etc/ssl/private /sys /boot /opt /srv /mnt /usr/local/lib")).stdout).toBe(
      "",
    );
    expect((await bash(`cat /proc/*/root${folder}/secret`)).stdout).toBe("");
  });

  test("that it sees cannot be changed, nor can the places between them", async () => {
    const places = ["/", "/usr", "/usr/bin", "/etc", "/etc/ssl", "/usr/local/bin", "/dev", "/var", "/proc/sys/kernel"];
    const { stdout } = await bash(`for p in ${places.join(" ")}; do touch $p/x 2>/dev/null && echo $p; done; true`);

    expect(stdout).toBe("");
    for (const file of ["/usr/local/bin/node", "/etc/passwd", "/etc/hosts", "/proc/sys/kernel/hostname"])
      expect((await bash(`echo x >> ${file}`)).outcome).toEqual(failed);
  });

  test("N2: what it writes is gone with it, and has a size", async () => {
    await bash("echo kept > /workspace/a; echo kept > /tmp/a; echo kept > /root/a");
    await using other = await driver.create({ memoryMb: 64 });

    expect((await bash("cat /workspace/a /tmp/a /root/a", other)).stdout).toBe("");
    expect((await bash("head -c 60000000 /dev/zero > /workspace/full", other)).stderr).toContain("No space left");
  });

  test("N5: no descriptor of the host comes in", async () => {
    const leaked = openSync(join(folder, "secret"), "r");
    // What a parent left open without close-on-exec is what leaks; `sh` opens such a one and becomes us.
    const code = `import { bubblewrapDriver } from "${urlOf("bubblewrap-driver.ts")}";
      import { sharedKernelOptions } from "${urlOf("../testing/shared-kernel.ts")}";
      import { run } from "${urlOf("../run.ts")}";
      await using vm = await bubblewrapDriver(sharedKernelOptions()).create({});
      const { stdout } = await run(vm, { argv: ["bash", "-c", "readlink /proc/*/fd/* | grep -v -e ^socket: -e ^anon_inode: -e /dev/null -e ^pipe: -e /proc/; cat /proc/*/fd/25"] });
      console.log(JSON.stringify(stdout));`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
      stdio: ["ignore", "pipe", "inherit", ...Array.from({ length: 22 }, () => "ignore" as const), leaked],
    });
    closeSync(leaked);
    const [line] = (await once(child.stdout as NodeJS.ReadableStream, "data")) as [Buffer];

    expect(line.toString()).toBe('""\n');
  });
});

describe("N3: rights", () => {
  test("no capability, none to be had, and never the host's root", async () => {
    const { stdout } = await bash(
      "grep -h -e Cap -e NoNewPrivs -e Seccomp: /proc/self/status; cut -f2 <(grep Uid /proc/self/status)",
    );
    const uid = Number(stdout.trim().split("\n").at(-1));

    expect(stdout.match(/Cap\w+:\t0{16}\n/g)).toHaveLength(5);
    expect(stdout).toContain("NoNewPrivs:\t1\nSeccomp:\t2");
    expect(uid).not.toBe(0);
    expect(
      hostProcesses(vm.id).some((pid) => readFileSync(`/proc/${pid}/status`, "utf8").includes(`Uid:\t${uid}`)),
    ).toBe(true);
  });

  test("C2: no namespaces of its own", async () => {
    for (const flag of ["--user", "--net", "--mount", "--pid"])
      expect((await bash(`unshare ${flag} true`)).stderr).toContain("Operation not permitted");
    const clone = "my $pid = syscall(56, 0x10000011, 0, 0, 0, 0); die qq($!\\n) if $pid < 0; exit";
    expect((await run(vm, { argv: ["perl", "-e", clone] })).stderr).toBe("Operation not permitted\n");
  });

  test.each([
    ["C4: io_uring_setup", 425],
    ["bpf", 321],
    ["add_key", 248],
    ["userfaultfd", 323],
    ["syslog", 103],
    ["perf_event_open", 298],
  ])("%s is refused", async (_, call) => {
    const { stderr } = await run(vm, {
      argv: ["perl", "-e", `syscall(${call}, 0, 0, 0, 0, 0) < 0 or exit; die "$!\n"`],
    });

    expect(stderr).toBe("Operation not permitted\n");
  });

  test("it sees and signals nobody outside", async () => {
    const { stdout } = await bash(
      "ls -d /proc/[0-9]* | wc -l; kill -0 -1 2>/dev/null; kill -0 " + String(process.pid) + " || echo none",
    );

    expect(Number(stdout.split("\n")[0])).toBeLessThan(10);
    expect(stdout).toContain("none");
  });
});

describe("a hostile guest", () => {
  test("that wants more memory than it has loses the eater; the agent answers", async () => {
    await using small = await driver.create({ memoryMb: 200 });
    const { outcome } = await run(small, { argv: ["perl", "-e", 'my @a; push @a, "x" x 10_000_000 while 1'] });

    expect(outcome).not.toMatchObject({ code: 0 });
    expect((await bash("echo alive", small)).stdout).toBe("alive\n");
  });

  test("a fork bomb ends at its own limit, and goes with the VM", async () => {
    const bomber = await driver.create({});
    const bomb = run(bomber, {
      argv: ["perl", "-e", "while (1) { defined(fork) or do { print qq(full\\n); sleep 60 } ; }"],
      timeoutMs: 1_500,
    });
    await bomb;
    expect(hostProcesses(bomber.id).length).toBeLessThan(1_100);
    await bomber.kill();

    expect(hostProcesses(bomber.id)).toEqual([]);
  });

  test("that ends the agent ends its VM", async () => {
    const rogue = await driver.create({});

    expect((await run(rogue, { argv: ["pkill", "-KILL", "-f", "run/th/guest.mjs"] })).outcome).toEqual({
      kind: "vm-gone",
    });
    expect((await rogue.stopped).kind).toBe("died");
  });
});

test("cpus is a number of processors it cannot leave", async () => {
  expect((await bash("nproc; taskset -p 3 $$ 2>&1 >/dev/null")).stdout).toMatch(/^1\n.*Operation not permitted\n$/);
});

test("git works on what was put in", async () => {
  await bash(
    "git init -q . && git config user.email a@b && git config user.name a && echo 1 > f && git add f && git commit -qm one",
  );

  expect((await bash("git log --oneline | wc -l; node -p 1+1; whoami")).stdout).toBe("1\n2\noperator\n");
});

describe("what is left behind", () => {
  test("nothing after a kill", async () => {
    const doomed = await driver.create({});
    await bash("setsid sleep 100 >/dev/null 2>&1 & sleep 100 >/dev/null 2>&1 & true", doomed);
    expect(hostProcesses(doomed.id)).not.toEqual([]);

    await doomed.kill();

    expect(hostProcesses(doomed.id)).toEqual([]);
  });

  test("N4: nothing after the host process is killed; its folder goes with the next reap", async () => {
    const runDir = await mkdtemp(join(tmpdir(), "th-walls-"));
    const code = `import { bubblewrapDriver } from "${urlOf("bubblewrap-driver.ts")}";
      import { sharedKernelOptions } from "${urlOf("../testing/shared-kernel.ts")}";
      const vm = await bubblewrapDriver(sharedKernelOptions({ runDir: ${JSON.stringify(runDir)} })).create({});
      vm.exec({ argv: ["bash", "-c", "setsid sleep 100"] });
      console.log(vm.id); setInterval(() => {}, 60_000);`;
    const host = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(host.stdout, "data")) as [Buffer];
    const id = line.toString().trim();
    expect(hostProcesses(id)).not.toEqual([]);

    host.kill("SIGKILL");
    await once(host, "exit");
    while (hostProcesses(id).length > 0) await systemClock.sleep(20);
    expect(await bubblewrapDriver(sharedKernelOptions({ runDir })).reap()).toBe(1);
    expect(await readdir(runDir)).toEqual([]);
    await rm(runDir, { recursive: true });
  });

  test("a boot that misses its deadline is TIMED_OUT and leaves nothing", async () => {
    const runDir = await mkdtemp(join(tmpdir(), "th-late-"));
    const late = bubblewrapDriver(sharedKernelOptions({ runDir }));
    await late.prepare();

    await expect(late.create({ limits: { bootMs: 1 } })).rejects.toMatchObject({ code: "TIMED_OUT" });
    expect(await readdir(runDir)).toEqual([]);
    await rm(runDir, { recursive: true });
  });
});

test.runIf(nobodyMayReadUs())("an ordinary user gets the same walls", async () => {
  const home = await mkdtemp(join(tmpdir(), "th-user-"));
  await chmod(home, 0o777);
  const script =
    "id -u; grep -h -e CapEff -e CapBnd -e NoNewPrivs -e Seccomp: /proc/self/status; tail -n +3 /proc/net/dev | cut -d: -f1; cat /home/* /etc/shadow; echo x > /usr/x; git init -q . && echo git; unshare --user true";
  const code = `import { bubblewrapDriver } from "${urlOf("bubblewrap-driver.ts")}";
    import { sharedKernelOptions } from "${urlOf("../testing/shared-kernel.ts")}";
    import { run } from "${urlOf("../run.ts")}";
    const driver = bubblewrapDriver(sharedKernelOptions({ cacheDir: "${home}/cache", runDir: "${home}/run" }));
    await using vm = await driver.create({});
    console.log((await run(vm, { argv: ["bash", "-c", ${JSON.stringify(script)}] })).stdout);`;
  const { stdout, stderr } = spawnSync("setpriv", [...AS_NOBODY, process.execPath, "--input-type=module", "-e", code], {
    cwd: "/",
    encoding: "utf8",
  });

  const none = "0".repeat(16);
  const status = `CapEff:\t${none}\nCapBnd:\t${none}\nNoNewPrivs:\t1\nSeccomp:\t2\n`;
  expect([stdout, stderr]).toEqual([`65534\n${status}    lo\ngit\n\n`, ""]);
  expect(await readdir(join(home, "run"))).toEqual([]);
  await rm(home, { recursive: true });
});

const urlOf = (path: string): string => String(pathToFileURL(join(import.meta.dirname, path)));

/** Only root can become somebody else, and that one must reach this checkout. */
function nobodyMayReadUs(): boolean {
  const { status } = spawnSync("setpriv", [...AS_NOBODY, "test", "-r", import.meta.filename]);
  return process.getuid?.() === 0 && status === 0;
}

/** Processes that have this VM's run folder on their command line or mounted. */
function hostProcesses(id: string): string[] {
  const read = (path: string): string => {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return "";
    }
  };
  return readdirSync("/proc").filter(
    (pid) => /^\d+$/.test(pid) && `${read(`/proc/${pid}/cmdline`)}${read(`/proc/${pid}/mountinfo`)}`.includes(id),
  );
}
