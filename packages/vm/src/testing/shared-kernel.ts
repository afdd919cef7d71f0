import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, systemIds } from "@smooth/platform/node/system";
import { guestNodeBinary } from "../image/node-binary.ts";
import type { SharedKernelOptions } from "../shared-kernel/agent-file.ts";

/** The folders that the tests of all packages, the bench and a developer's daemon share, for guests on the host's kernel. */
export function sharedKernelOptions(overrides: Partial<SharedKernelOptions> = {}): SharedKernelOptions {
  return {
    cacheDir: join(process.env["SMOOTH_IMAGES"] ?? join(homedir(), ".smooth/images"), "shared-kernel"),
    runDir: join(tmpdir(), `th-${process.getuid?.() ?? 0}`),
    nodeBinary: guestNodeBinary(),
    clock: systemClock,
    ids: systemIds,
    ...overrides,
  };
}
