import { constants } from "node:fs";
import { access, readFile } from "node:fs/promises";
import { findProgram } from "../image/commands.ts";
import type { Jail } from "./jail.ts";
import type { Machine } from "./argv.ts";

/** What this computer can do, looked up once and judged by pure functions below. */

export interface HostFacts {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  readonly qemu: string | null;
  readonly bwrap: string | null;
  readonly setpriv: string | null;
  readonly kvmReadWrite: boolean;
  readonly cpuinfo: string;
  /** KVM-PVM: /dev/kvm opens and even makes a VM, but runs ordinary guests instruction by instruction. */
  readonly kvmIsPvm: boolean;
  readonly cpufreq: boolean;
  /** Accelerated boot already failed since this computer was started. */
  readonly accelRefused: boolean;
}

export async function lookAtHost(accelRefused: boolean): Promise<HostFacts> {
  const qemuName = process.arch === "arm64" ? "qemu-system-aarch64" : "qemu-system-x86_64";
  const can = (path: string, mode: number): Promise<boolean> =>
    access(path, mode).then(
      () => true,
      () => false,
    );
  const [qemu, bwrap, setpriv] = await Promise.all([
    findProgram(qemuName),
    findProgram("bwrap"),
    findProgram("setpriv"),
  ]);
  return {
    platform: process.platform,
    arch: process.arch,
    qemu,
    bwrap,
    setpriv,
    accelRefused,
    kvmReadWrite: await can("/dev/kvm", constants.R_OK | constants.W_OK),
    cpuinfo: await readFile("/proc/cpuinfo", "utf8").catch(() => ""),
    kvmIsPvm: await can("/sys/module/kvm_pvm", constants.F_OK),
    cpufreq: await can("/sys/devices/system/cpu/cpu0/cpufreq", constants.F_OK),
  };
}

export function chooseAccel(facts: HostFacts): { accel: Machine["accel"]; reason: string } {
  if (facts.accelRefused)
    return { accel: "tcg", reason: "an accelerated machine did not boot since this computer was started" };
  if (facts.platform === "darwin") return { accel: "hvf", reason: "macOS Hypervisor.framework" };
  if (!facts.kvmReadWrite) return { accel: "tcg", reason: "/dev/kvm cannot be opened for reading and writing" };
  if (facts.kvmIsPvm) return { accel: "tcg", reason: "/dev/kvm is KVM-PVM, which runs ordinary guests too slowly" };
  if (facts.arch === "x64" && !/\b(vmx|svm)\b/.test(facts.cpuinfo))
    return { accel: "tcg", reason: "the CPU shows neither vmx nor svm" };
  return { accel: "kvm", reason: "/dev/kvm with hardware virtualization" };
}

/** Null where the host's clock rate is not constant or not known: the q35 machine finds out by itself, 0.7 s slower. */
export function tscKhz({ cpuinfo, cpufreq }: Pick<HostFacts, "cpuinfo" | "cpufreq">): number | null {
  const mhz = /^cpu MHz\s*:\s*([\d.]+)/m.exec(cpuinfo)?.[1];
  return mhz === undefined || cpufreq ? null : Math.round(Number(mhz) * 1000);
}

export function chooseJail({ bwrap, setpriv }: Pick<HostFacts, "bwrap" | "setpriv">): Jail | null {
  if (bwrap !== null) return { kind: "bwrap", program: bwrap };
  return setpriv === null ? null : { kind: "setpriv", program: setpriv, asRoot: process.getuid?.() === 0 };
}
