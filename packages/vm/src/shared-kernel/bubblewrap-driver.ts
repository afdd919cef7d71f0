import { randomBytes, randomInt } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { cpus as cpusOfHost } from "node:os";
import { join } from "node:path";
import { SmoothError } from "@smooth/protocol/errors";
import {
  GUEST_ENV,
  type PrepareProgress,
  type Probe,
  type Vm,
  type VmDriver,
  type VmSpec,
  WORKSPACE,
} from "../driver.ts";
import { makeRunFolder, reapRunFolders } from "../run-folder.ts";
import { agentFile, keepFile, type SharedKernelOptions } from "./agent-file.ts";
import { type GuestGroup, makeGroup } from "./cgroup.ts";
import { lacksOf, lookAtLayout, lookAtNamespaces, obstacles } from "./host.ts";
import { isFiltered, seccompProgram } from "./seccomp.ts";
import { refuseSnapshot, startGuest } from "./start.ts";
import { etcFiles, guestUser, type HostLayout, MAX_PROCESSES, wallsArgv } from "./walls.ts";

/** Guests in namespaces by bubblewrap, on the host's own kernel: level `namespace`, for those who ask for it by name.
 *  What the level cannot give: a kernel of its own (a hole in the host's kernel is a way out), snapshots, and, where no cgroup
 *  is delegated, a limit on the memory of all processes together. The probe says so in `lacks`. */

const DEFAULT_MEMORY_MB = 768;
/** For one that hangs: it takes 50 ms, and on a busy computer seconds. */
const BOOT_MS = 60_000;

export function bubblewrapDriver(options: SharedKernelOptions): VmDriver {
  return new BubblewrapDriver(options);
}

interface Prepared {
  readonly bwrap: string;
  readonly layout: HostLayout;
  readonly agentFile: string;
  readonly filterFile: string;
  readonly delegated: string | null;
}

class BubblewrapDriver implements VmDriver {
  readonly name = "bubblewrap";
  readonly #options: SharedKernelOptions;
  #prepared: Promise<Prepared> | null = null;
  #nextCpu = randomInt(1_000);

  constructor(options: SharedKernelOptions) {
    this.#options = options;
  }

  async probe(): Promise<Probe> {
    const facts = await lookAtNamespaces();
    const inTheWay = obstacles(facts);
    if (inTheWay.length === 0) {
      const reasons = ["namespaces, a system call filter, no capabilities; the kernel is the host's"];
      return { kind: "usable", level: "namespace", accel: "none", reasons, lacks: lacksOf(facts) };
    }
    const distinct = (values: readonly string[]): string[] => [...new Set(values)];
    const asRoot = (fix: string): string =>
      /^(apt-get|sysctl) /.test(fix) && process.getuid?.() !== 0 ? `sudo ${fix}` : fix;
    return {
      kind: "unusable",
      reasons: distinct(inTheWay.map(({ reason }) => reason)),
      fixes: distinct(inTheWay.map(({ fix }) => asRoot(fix))),
    };
  }

  async prepare(onProgress: (progress: PrepareProgress) => void = () => {}): Promise<void> {
    await this.#prepare();
    onProgress({ phase: "ready", percent: 100, message: "the guest agent is ready" });
  }

  async create(spec: VmSpec): Promise<Vm> {
    if (spec.from) throw refuseSnapshot(this.name);
    const { clock, ids, nodeBinary, runDir } = this.#options;
    const host = await this.#prepare();
    const id = ids.next("vm");
    const { memoryMb = DEFAULT_MEMORY_MB, cpus = 1, name: hostname = "operator" } = spec;
    const folder = await makeRunFolder(runDir, id);
    let group: GuestGroup | null = null;
    const cleanUp = async (): Promise<void> => {
      await rm(folder, { recursive: true, force: true });
      await group?.remove();
    };
    try {
      const user = guestUser(process.getuid?.() ?? 0, await readFile("/proc/self/uid_map", "utf8"), randomInt(2 ** 31));
      const uid = user.kind === "own" ? (process.getuid?.() ?? 0) : user.id;
      const etc = etcFiles(hostname, uid, randomBytes(16).toString("hex"));
      await Promise.all(
        Object.entries(etc).map(([name, text]) => writeFile(join(folder, name), text, { mode: 0o644 })),
      );
      const limits = { memoryBytes: memoryMb * 1024 * 1024, processes: MAX_PROCESSES };
      if (host.delegated !== null) group = await makeGroup(host.delegated, id, limits);
      const argv = wallsArgv({
        user,
        memoryMb,
        hostname,
        nodeBinary,
        bwrap: host.bwrap,
        layout: host.layout,
        agentFile: host.agentFile,
        etcFolder: folder,
        cpus: this.#choose(cpus),
      });
      return await startGuest({
        id,
        spec,
        clock,
        driver: this.name,
        level: "namespace",
        bootMs: BOOT_MS,
        folder,
        guest: { workspace: WORKSPACE, env: { ...GUEST_ENV, USER: "operator" } },
        launch: { command: [...(group?.prefix ?? []), ...argv], files: [host.filterFile], cwd: "/", end: "namespace" },
        cleanUp,
      });
    } catch (error) {
      await cleanUp();
      throw error;
    }
  }

  reap(): Promise<number> {
    return reapRunFolders(this.#options.runDir);
  }

  /** Everybody waits for the same preparation; a failed one is tried again. */
  #prepare(): Promise<Prepared> {
    this.#prepared ??= prepare(this.#options.cacheDir).catch((error: unknown) => {
      this.#prepared = null;
      throw error;
    });
    return this.#prepared;
  }

  /** Guests take turns on the processors. */
  #choose(count: number): number[] {
    const all = cpusOfHost().length;
    const first = this.#nextCpu;
    this.#nextCpu += count;
    return Array.from({ length: Math.min(count, all) }, (_, at) => (first + at) % all);
  }
}

async function prepare(cacheDir: string): Promise<Prepared> {
  const facts = await lookAtNamespaces();
  const [first] = obstacles(facts);
  const { bwrap } = facts.programs;
  if (first || bwrap === null || !isFiltered(facts.arch))
    throw new SmoothError("SANDBOX_UNAVAILABLE", first ? `${first.reason}: ${first.fix}` : "bwrap is missing");
  const [filterFile, agent, layout] = await Promise.all([
    keepFile(cacheDir, "filter", seccompProgram(facts.arch)),
    agentFile(cacheDir),
    lookAtLayout(),
  ]);
  return { bwrap, layout, filterFile, agentFile: agent, delegated: facts.delegated };
}
