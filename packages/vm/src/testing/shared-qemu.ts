import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, systemIds } from "@smooth/platform/node/system";
import { memoryLog } from "@smooth/platform/testing";
import type { VmDriver } from "../driver.ts";
import { guestNodeBinary } from "../image/node-binary.ts";
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
