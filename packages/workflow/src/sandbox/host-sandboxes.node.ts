/** The sandboxes of the machine this runs on: its drivers, images in the user's own folder, limits from the environment. */
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Sandboxes } from "@smooth/engine/sandboxes";
import { systemClock, systemIds } from "@smooth/platform/node/system";
import type { Log } from "@smooth/platform/ports";
import { bubblewrapDriver } from "@smooth/vm/bubblewrap";
import { guestNodeBinary } from "@smooth/vm/node-binary";
import { processDriver } from "@smooth/vm/process";
import { qemuDriver } from "@smooth/vm/qemu";
import { ownFileRefusal } from "./own-files.node.ts";
import { openSandboxes, type SandboxesOptions } from "./sandboxes.node.ts";

export type HostSandboxes = Pick<SandboxesOptions, "minIsolation" | "maxConcurrent" | "egress">;

export function hostSandboxes(rootDir: string, { maxConcurrent, ...given }: HostSandboxes, log: Log): Sandboxes {
  const images = process.env["SMOOTH_IMAGES"] ?? join(homedir(), ".smooth/images");
  const machine = { runDir: join(tmpdir(), `th-${process.getuid?.() ?? 0}`), nodeBinary: guestNodeBinary(), ...world };
  const shared = { ...machine, cacheDir: join(images, "shared-kernel") };
  const drivers = {
    microvm: qemuDriver({ ...machine, cacheDir: images, log }),
    bubblewrap: bubblewrapDriver(shared),
    process: processDriver(shared),
  };
  const atOnce = maxConcurrent ?? limitFrom(process.env["SMITHERS_MAX_CONCURRENT_SANDBOXES"]);
  const writeRefusal: SandboxesOptions["writeRefusal"] = (path, { workflow }) => ownFileRefusal(path, workflow);
  return openSandboxes({ ...given, rootDir, drivers, clock: systemClock, maxConcurrent: atOnce, writeRefusal });
}

const world = { clock: systemClock, ids: systemIds };

/** Anything but a number is refused where it is used. */
const limitFrom = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));
