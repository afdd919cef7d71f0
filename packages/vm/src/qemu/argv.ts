/** The QEMU command line. Pure, and free of anything that differs between two VMs of the same kind: run folder and image are
 *  always mounted at the same places in the jail, so the text itself is part of a snapshot's key. */

export const JAIL_RUN = "/vm";
export const JAIL_IMAGE = "/image";

export interface Machine {
  readonly accel: "tcg" | "kvm" | "hvf";
  readonly memoryMb: number;
  readonly cpus: number;
  /** For TCG on hosts that tell the truth about their clock rate; without it the microvm machine hangs at random. */
  readonly tscKhz: number | null;
  /** Where the run folder and the image folder are as QEMU sees them. */
  readonly runDir: string;
  readonly imageDir: string;
  readonly image: { readonly kernel: string; readonly initrd: string; readonly rootfs: string };
}

/** The microvm machine where the clock is known or real, q35 elsewhere. */
export function qemuArgv(machine: Machine): string[] {
  const { imageDir, image, runDir } = machine;
  const micro = machine.accel !== "tcg" || machine.tscKhz !== null;
  return [
    micro ? microvm(machine) : q35(machine),
    ["-smp", String(machine.cpus), "-m", String(machine.memoryMb)],
    ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none"],
    ["-kernel", `${imageDir}/${image.kernel}`, "-initrd", `${imageDir}/${image.initrd}`],
    ["-append", kernelArgs(machine, micro)],
    ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"],
    devices(machine, micro ? "device" : "pci"),
    ["-chardev", `socket,id=qmp,path=${runDir}/qmp.sock`, "-mon", "chardev=qmp,mode=control"],
    ["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
  ].flat();
}

/** Emulated, AVX costs more than it saves: without it a clone answers a third sooner. */
function microvm({ accel }: Machine): string[] {
  const [how, cpu] = accel === "tcg" ? ["tcg,tb-size=64,thread=multi", "max,-avx,-avx2"] : [accel, "host"];
  return [
    ["-M", "microvm,acpi=on,pit=on,pic=on,rtc=on", "-global", "virtio-mmio.force-legacy=false"],
    ["-accel", how, "-cpu", cpu],
  ].flat();
}

function q35({ accel }: Machine): string[] {
  return ["-M", `q35,accel=${accel},usb=off,vmport=off,smm=off`, "-cpu", "max"];
}

/** `init_on_free`: freed pages are zero, so a snapshot holds no dead ones. */
const KERNEL_ARGS =
  "console=ttyS0 quiet reboot=t panic=-1 mitigations=off random.trust_cpu=on cryptomgr.notests init_on_free=1 init_on_alloc=0";

/** `tsc=reliable`: a busy host must not make the kernel fall back to counting lost ticks. */
function kernelArgs({ accel, tscKhz }: Machine, micro: boolean): string {
  const clock = accel === "tcg" && tscKhz !== null ? ` tsc_early_khz=${tscKhz} tsc=reliable` : "";
  return `${KERNEL_ARGS}${micro ? " pci=off" : ""}${clock}`;
}

function devices({ runDir, imageDir, image }: Machine, bus: "device" | "pci"): string[] {
  const chardev = (id: string): string[] => ["-chardev", `socket,id=${id},path=${runDir}/${id}.sock`];
  const port = (id: string): string[] => ["-device", `virtserialport,chardev=${id},name=th.${id}`];
  return [
    ["-device", `virtio-serial-${bus},max_ports=4`],
    [...chardev("agent"), ...port("agent"), ...chardev("goalie"), ...port("goalie")],
    ["-device", `virtio-rng-${bus}`],
    ["-drive", `id=root,file=${imageDir}/${image.rootfs},format=raw,if=none,readonly=on,cache=unsafe`],
    ["-device", `virtio-blk-${bus},drive=root`],
  ].flat();
}
