import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, systemIds } from "@smooth/platform/node/system";
import { memoryLog } from "@smooth/platform/testing";
import type { VmDriver } from "../driver.ts";
import { qemuDriver, type QemuDriverOptions } from "../qemu/qemu-driver.ts";

/** The one image cache that machine tests of all packages, the bench and a developer's daemon share. */
export function sharedQemu(overrides: Partial<QemuDriverOptions> = {}): VmDriver {
  const cacheDir = process.env["SMOOTH_IMAGES"] ?? join(homedir(), ".smooth/images");
  const runDir = join(tmpdir(), `th-${process.getuid?.() ?? 0}`);
  return qemuDriver({
    cacheDir,
    runDir,
    nodeBinary: guestNodeBinary(),
    clock: systemClock,
    ids: systemIds,
    log: memoryLog(),
    ...overrides,
  });
}

/** The Linux Node of this checkout's lock; elsewhere the one that runs us. */
export function guestNodeBinary(): string {
  const require = createRequire(import.meta.url);
  const name = `node-linux-${process.arch}`;
  try {
    const binary = join(require.resolve(`${name}/package.json`), "../bin/node");
    if (existsSync(binary)) return binary;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
  }
  return process.execPath;
}
