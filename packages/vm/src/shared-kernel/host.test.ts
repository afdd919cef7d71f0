import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { delegatedGroup, makeGroup } from "./cgroup.ts";
import { lacksOf, type NamespaceFacts, obstacles } from "./host.ts";
import { seccompProgram } from "./seccomp.ts";
import { guestUser } from "./walls.ts";

const facts: NamespaceFacts = {
  platform: "linux",
  arch: "x64",
  programs: {
    bwrap: "/usr/bin/bwrap",
    bash: "/usr/bin/bash",
    setpriv: "/usr/bin/setpriv",
    taskset: "/usr/bin/taskset",
  },
  refusal: null,
  switches: {
    "kernel.unprivileged_userns_clone": "1",
    "user.max_user_namespaces": "96365",
    "kernel.apparmor_restrict_unprivileged_userns": "",
  },
  delegated: null,
};
const refused = "setting up uid map: Permission denied";

describe("what stands in the way is named with its fix", () => {
  test.each<[string, Partial<NamespaceFacts>, readonly string[]]>([
    ["nothing", {}, []],
    ["no bubblewrap", { programs: { ...facts.programs, bwrap: null } }, ["apt-get install -y bubblewrap"]],
    [
      "user namespaces switched off",
      { refusal: refused, switches: { ...facts.switches, "user.max_user_namespaces": "0" } },
      ["sysctl -w user.max_user_namespaces=15000"],
    ],
    [
      "AppArmor of Ubuntu",
      { refusal: refused, switches: { ...facts.switches, "kernel.apparmor_restrict_unprivileged_userns": "1" } },
      ["sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"],
    ],
    ["a container that forbids them", { refusal: refused }, ["allow user namespaces to this user or container"]],
    [
      "a switch that does not matter, because it works",
      { switches: { ...facts.switches, "user.max_user_namespaces": "0" } },
      [],
    ],
    ["macOS", { platform: "darwin" }, ["use a driver that runs virtual machines"]],
    ["a processor without a filter", { arch: "riscv64" }, ["use a driver that runs virtual machines"]],
  ])("%s", (_, change, fixes) => expect(obstacles({ ...facts, ...change }).map(({ fix }) => fix)).toEqual(fixes));

  test("the sum of the memory is lacking only where no group is delegated", () => {
    expect(lacksOf(facts).map(({ capability }) => capability)).toEqual(["snapshot", "memory-sum"]);
    expect(lacksOf({ delegated: "/sys/fs/cgroup/user.slice" }).map(({ capability }) => capability)).toEqual([
      "snapshot",
    ]);
  });
});

test("root becomes an id that owns nothing, where there is one; everybody else stays who they are", () => {
  const everything = "         0          0 4294967295\n";

  expect(guestUser(0, everything, 7)).toEqual({ kind: "nobody-else", id: 1_900_000_007 });
  expect(guestUser(0, "         0     100000      65536\n", 7)).toEqual({ kind: "own" });
  expect(guestUser(1000, everything, 7)).toEqual({ kind: "own" });
});

describe("the filter", () => {
  test.each(["x64", "arm64"] as const)("of %s jumps forward only, and every way ends in an answer", (arch) => {
    const program = seccompProgram(arch);
    const count = program.length / 8;

    for (let at = 0; at < count; at += 1) {
      const op = program.readUInt16LE(at * 8);
      if (op === 0x06) continue;
      const [then, otherwise] = [program.readUInt8(at * 8 + 2), program.readUInt8(at * 8 + 3)];
      for (const next of op === 0x20 ? [at + 1] : [at + 1 + then, at + 1 + otherwise]) expect(next).toBeLessThan(count);
    }
  });
});

describe("cgroups", () => {
  async function machine(controllers: string): Promise<{ root: string; self: string }> {
    const root = await mkdtemp(join(tmpdir(), "vm-cgroup-"));
    await mkdir(join(root, "app.slice/ours.scope"), { recursive: true });
    await writeFile(join(root, "app.slice/cgroup.subtree_control"), `${controllers}\n`);
    await writeFile(join(root, "app.slice/cgroup.procs"), "");
    await writeFile(join(root, "self"), "0::/app.slice/ours.scope\n");
    return { root, self: join(root, "self") };
  }

  test("a guest's group is made beside ours, and only where memory and pids are handed on", async () => {
    const { root, self } = await machine("cpu memory pids");
    const { root: poor, self: poorSelf } = await machine("cpu");

    expect(await delegatedGroup(root, self)).toBe(join(root, "app.slice"));
    expect(await delegatedGroup(poor, poorSelf)).toBeNull();
    expect(await delegatedGroup(root, join(root, "none"))).toBeNull();
    await Promise.all([root, poor].map((folder) => rm(folder, { recursive: true })));
  });

  test("it has the limits, and what is started joins it before it becomes the command", async () => {
    const { root } = await machine("memory pids");
    const group = await makeGroup(join(root, "app.slice"), "vm-1", { memoryBytes: 1_000, processes: 5 });
    const [sh, ...joining] = group.prefix;
    const pid = execFileSync(sh ?? "", [...joining, "sh", "-c", "echo $$"], { encoding: "utf8" });
    const folder = join(root, "app.slice/smooth-vm-1");
    const read = (name: string): Promise<string> => readFile(join(folder, name), "utf8");

    expect([await read("memory.max"), await read("memory.swap.max"), await read("pids.max")]).toEqual([
      "1000",
      "0",
      "5",
    ]);
    expect(await read("cgroup.procs")).toBe(pid);
    // The kernel's own files go with the folder; these are ordinary ones.
    for (const name of await readdir(folder)) await rm(join(folder, name));
    await group.remove();
    expect(await readdir(join(root, "app.slice"))).not.toContain("smooth-vm-1");
    await rm(root, { recursive: true });
  });
});
