/** The sandboxes of the machine this runs on: its drivers, images in the user's own folder, limits from the environment. */
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Sandboxes } from "@smooth/engine/sandboxes";
import { systemClock, systemIds } from "@smooth/platform/node/system";
import type { Log } from "@smooth/platform/ports";
import { guestNodeBinary } from "@smooth/vm/node-binary";
import { qemuDriver } from "@smooth/vm/qemu";
import { openSandboxes, type SandboxesOptions } from "./sandboxes.node.ts";

export type HostSandboxes = Pick<SandboxesOptions, "minIsolation" | "maxConcurrent" | "egress">;

export function hostSandboxes(rootDir: string, { maxConcurrent, ...given }: HostSandboxes, log: Log): Sandboxes {
  const microvm = qemuDriver({
    cacheDir: process.env["SMOOTH_IMAGES"] ?? join(homedir(), ".smooth/images"),
    runDir: join(tmpdir(), `th-${process.getuid?.() ?? 0}`),
    nodeBinary: guestNodeBinary(),
    clock: systemClock,
    ids: systemIds,
    log,
  });
  const atOnce = maxConcurrent ?? limitFrom(process.env["SMITHERS_MAX_CONCURRENT_SANDBOXES"]);
  return openSandboxes({ ...given, rootDir, drivers: { microvm }, clock: systemClock, maxConcurrent: atOnce });
}

/** Anything but a number is refused where it is used. */
const limitFrom = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));
