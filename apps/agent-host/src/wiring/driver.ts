import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { systemClock, systemIds } from "@smooth/platform/node/system";
import type { Log } from "@smooth/platform/ports";
import type { VmDriver } from "@smooth/vm/driver";
import { bubblewrapDriver } from "@smooth/vm/bubblewrap";
import { guestNodeBinary } from "@smooth/vm/node-binary";
import { qemuDriver } from "@smooth/vm/qemu";
import type { HostEnv } from "../env.ts";

/** The driver of this machine's sandboxes; sockets and snapshots of the moment lie in a folder of the user's own.
 *  D1. A weaker level is what the owner asked for by name (SMOOTH_SANDBOX), never what is fallen back to. */
export function openDriver({ images, sandbox }: Pick<HostEnv, "images" | "sandbox">, log: Log): VmDriver {
  const runDir = join(tmpdir(), `th-${process.getuid?.() ?? 0}`);
  const place = { cacheDir: images, runDir, nodeBinary: guestNodeBinary(), clock: systemClock, ids: systemIds };
  return sandbox === "bubblewrap" ? bubblewrapDriver(place) : qemuDriver({ ...place, log });
}
