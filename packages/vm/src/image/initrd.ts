import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { bundler } from "@smooth/platform/node/bundler";
import { packCpio, type CpioEntry } from "./cpio.ts";
import { BUSYBOX_APPLETS, GUEST_INIT, INITRAMFS_INIT, KERNEL_MODULES } from "./guest-init.ts";

/** busybox, the kernel modules, the two init scripts and the bundled guest agent. */
export async function packInitrd(modulesFolder: string, busybox: string, guestBundle: Uint8Array): Promise<Buffer> {
  const found = await readdir(modulesFolder, { recursive: true });
  const modules = KERNEL_MODULES.flatMap((name) => found.find((path) => basename(path) === `${name}.ko`) ?? []);
  const folders = ["bin", "dev", "proc", "sys", "modules", "payload", "lower", "upper", "root"];
  const entries: CpioEntry[] = [
    ...folders.map((path): CpioEntry => ({ kind: "directory", path })),
    { kind: "file", path: "bin/busybox", mode: 0o755, content: await readFile(busybox) },
    ...BUSYBOX_APPLETS.map((name): CpioEntry => ({ kind: "link", path: `bin/${name}`, target: "busybox" })),
    { kind: "file", path: "init", mode: 0o755, content: Buffer.from(INITRAMFS_INIT) },
    { kind: "file", path: "payload/init", mode: 0o755, content: Buffer.from(GUEST_INIT) },
    { kind: "file", path: "payload/guest.mjs", mode: 0o644, content: guestBundle },
  ];
  for (const path of modules) {
    entries.push({
      kind: "file",
      path: `modules/${basename(path)}`,
      mode: 0o644,
      content: await readFile(join(modulesFolder, path)),
    });
  }
  return packCpio(entries);
}

/** The guest agent as one file: the guest has no node_modules. */
export async function bundleGuest(entry: string): Promise<Uint8Array> {
  const { outputFiles } = await bundler().build({
    entryPoints: [entry],
    absWorkingDir: dirname(entry),
    bundle: true,
    minify: true,
    platform: "node",
    target: "node24",
    format: "esm",
    write: false,
    logLevel: "silent",
  });
  return outputFiles[0]?.contents ?? new Uint8Array();
}
