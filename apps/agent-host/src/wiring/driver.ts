import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { systemClock, systemIds } from "@smooth/platform/node/system";
import type { Log } from "@smooth/platform/ports";
import type { VmDriver } from "@smooth/vm/driver";
import { guestNodeBinary } from "@smooth/vm/node-binary";
import { qemuDriver } from "@smooth/vm/qemu";

/** The driver of this machine's VMs; sockets and snapshots of the moment lie in a folder of the user's own. */
export function openDriver(images: string, log: Log): VmDriver {
  const runDir = join(tmpdir(), `th-${process.getuid?.() ?? 0}`);
  return qemuDriver({
    cacheDir: images,
    runDir,
    nodeBinary: guestNodeBinary(),
    clock: systemClock,
    ids: systemIds,
    log,
  });
}
