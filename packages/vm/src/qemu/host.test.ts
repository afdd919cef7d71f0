import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@smooth/platform/node/system";
import { describe, expect, test } from "vitest";
import { withLock } from "@smooth/platform/node/lock";
import { qemuArgv, type Machine } from "./argv.ts";
import { jailPrefix } from "./jail.ts";
import { chooseAccel, chooseJail, type HostFacts, tscKhz } from "./probe.ts";
import { makeRunFolder, reapRunFolders } from "../run-folder.ts";

const facts: HostFacts = {
  platform: "linux",
  arch: "x64",
  qemu: "/usr/bin/qemu-system-x86_64",
  bwrap: "/usr/bin/bwrap",
  setpriv: "/usr/bin/setpriv",
  kvmReadWrite: true,
  cpuinfo: "flags\t: fpu vmx\ncpu MHz\t\t: 2700.000\n",
  kvmIsPvm: false,
  cpufreq: false,
  accelRefused: false,
};

describe("acceleration is claimed only where a guest really runs on the hardware", () => {
  test.each<[string, Partial<HostFacts>, Machine["accel"]]>([
    ["KVM with vmx", {}, "kvm"],
    ["KVM on arm64 needs no flag", { arch: "arm64", cpuinfo: "" }, "kvm"],
    ["no access to /dev/kvm", { kvmReadWrite: false }, "tcg"],
    ["KVM-PVM", { kvmIsPvm: true }, "tcg"],
    ["no vmx or svm", { cpuinfo: "flags\t: fpu" }, "tcg"],
    ["a boot that failed since this computer was started", { accelRefused: true }, "tcg"],
    ["macOS", { platform: "darwin", kvmReadWrite: false }, "hvf"],
  ])("%s", (_, change, accel) => expect(chooseAccel({ ...facts, ...change }).accel).toBe(accel));
});

test("the clock rate is told only where it is constant", () => {
  expect(tscKhz(facts)).toBe(2_700_000);
  expect(tscKhz({ ...facts, cpufreq: true })).toBeNull();
  expect(tscKhz({ ...facts, cpuinfo: "" })).toBeNull();
});

test("without bubblewrap there is setpriv, without both no jail and no VM", () => {
  expect(chooseJail(facts)?.kind).toBe("bwrap");
  expect(chooseJail({ ...facts, bwrap: null })?.kind).toBe("setpriv");
  expect(chooseJail({ bwrap: null, setpriv: null })).toBeNull();
});

describe("the command line", () => {
  const machine: Machine = {
    accel: "tcg",
    memoryMb: 768,
    cpus: 1,
    tscKhz: 2_700_000,
    runDir: "/vm",
    imageDir: "/image",
    image: { kernel: "k", initrd: "i", rootfs: "r" },
  };

  test("has no network card, a read-only root, a sandbox, and no shared folder", () => {
    const line = qemuArgv(machine).join(" ");

    expect(line).toContain("-nic none");
    expect(line).toContain("readonly=on");
    expect(line).toContain("-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
    expect(line).not.toMatch(/netdev|virtfs|fsdev|vsock/);
  });

  test("falls back to q35 where the clock rate is unknown, and uses the host CPU with KVM", () => {
    expect(qemuArgv({ ...machine, tscKhz: null }).join(" ")).toContain("-M q35,accel=tcg");
    expect(qemuArgv({ ...machine, accel: "kvm", tscKhz: null }).join(" ")).toContain("-accel kvm -cpu host");
  });

  test("the jail shares nothing and sees the image read-only", () => {
    const line = jailPrefix(
      { kind: "bwrap", program: "bwrap" },
      { runDir: "/run/x", imageDir: "/img", devices: [] },
    ).join(" ");

    for (const part of [
      "--unshare-all",
      "--die-with-parent",
      "--clearenv",
      "--cap-drop ALL",
      "--ro-bind /img /image",
      "--bind /run/x /vm",
    ])
      expect(line).toContain(part);
  });
});

test("D1: reaping takes folders of dead owners only", async () => {
  const root = await mkdtemp(join(tmpdir(), "vm-reap-"));
  await makeRunFolder(root, "mine");
  await mkdir(join(root, "dead"));
  await writeFile(join(root, "dead/owner.json"), JSON.stringify({ owner: `${process.pid}@1`, guest: null }));
  await mkdir(join(root, "starting"));

  expect(await reapRunFolders(root)).toBe(1);
  expect((await readdir(root)).toSorted()).toEqual(["mine", "starting"]);
  await rm(root, { recursive: true });
});

test("a run folder too long for sockets is refused with the way out", async () => {
  await expect(makeRunFolder(`/tmp/${"x".repeat(100)}`, "vm-1")).rejects.toMatchObject({ code: "CONFIG_INVALID" });
});

test("I2: the lock lets one in at a time", async () => {
  const root = await mkdtemp(join(tmpdir(), "vm-lock-"));
  const inside: string[] = [];
  const enter = (name: string) =>
    withLock(join(root, "lock"), systemClock, async () => {
      inside.push(`${name} in`);
      await systemClock.sleep(30);
      inside.push(`${name} out`);
    });
  await Promise.all([enter("a"), enter("b"), enter("c")]);

  expect(
    inside.filter((_, at) => at % 2 === 0).map((line, at) => line.replace("in", "out") === inside[at * 2 + 1]),
  ).toEqual([true, true, true]);
  await rm(root, { recursive: true });
});

test("D2: nothing is kept, killed or removed in a run folder that others can write", async () => {
  const root = await mkdtemp(join(tmpdir(), "vm-shared-"));
  await makeRunFolder(root, "mine");
  await chmod(root, 0o777);

  await expect(makeRunFolder(root, "next")).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  await expect(reapRunFolders(root)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  expect(await readdir(root)).toEqual(["mine"]);
  await rm(root, { recursive: true });
});
