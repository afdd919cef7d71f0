import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Probe, Vm, VmDriver, VmSpec } from "../driver.ts";
import { GUEST_ENV } from "../driver.ts";
import { makeRunFolder, reapRunFolders } from "../run-folder.ts";
import { agentFile, type SharedKernelOptions } from "./agent-file.ts";
import { refuseSnapshot, startGuest } from "./start.ts";

/** No walls at all: the agent and what it runs are processes of this user, with this user's files and network. For unit tests
 *  of code that drives a `Vm` with real commands; never for what a model wrote. `memoryMb` and `cpus` limit nothing. */

/** For one that hangs: it takes 50 ms, and on a busy computer seconds. */
const BOOT_MS = 60_000;

export function processDriver(options: SharedKernelOptions): VmDriver {
  const { cacheDir, runDir, nodeBinary, clock, ids } = options;
  let agent: Promise<string> | null = null;
  const prepared = (): Promise<string> => (agent ??= agentFile(cacheDir));
  return {
    name: "process",
    probe: async (): Promise<Probe> => ({
      kind: "usable",
      level: "process",
      accel: "none",
      reasons: ["for unit tests only: nothing is isolated"],
      lacks: [
        { capability: "walls", reason: "a command has the files, the network and the rights of this user" },
        { capability: "memory-sum", reason: "nothing limits the memory of a command" },
        { capability: "snapshot", reason: "processes cannot be saved" },
      ],
    }),
    async prepare(onProgress = () => {}) {
      await prepared();
      onProgress({ phase: "ready", percent: 100, message: "the guest agent is ready" });
    },
    async create(spec: VmSpec): Promise<Vm> {
      if (spec.from) throw refuseSnapshot("process");
      const command = [nodeBinary, await prepared(), "0", "0"];
      const id = ids.next("vm");
      const folder = await makeRunFolder(runDir, id);
      const workspace = join(folder, "workspace");
      await mkdir(workspace);
      const cleanUp = (): Promise<void> => rm(folder, { recursive: true, force: true, maxRetries: 3 });
      const path = `${dirname(nodeBinary)}:${GUEST_ENV["PATH"]}`;
      try {
        return await startGuest({
          id,
          spec,
          clock,
          folder,
          cleanUp,
          driver: "process",
          level: "process",
          bootMs: BOOT_MS,
          guest: { workspace, env: { ...GUEST_ENV, PATH: path, HOME: folder, USER: "operator" } },
          launch: { command, files: [], cwd: workspace, end: "hang-up" },
        });
      } catch (error) {
        await cleanUp();
        throw error;
      }
    },
    reap: () => reapRunFolders(runDir),
  };
}
