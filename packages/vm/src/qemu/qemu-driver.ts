import { createWriteStream } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Clock, Ids, Log } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { AgentVm } from "../agent-vm.ts";
import { bootDeadline, untilReady } from "../boot.ts";
import {
  GUEST_ENV,
  type PrepareProgress,
  type Probe,
  type Vm,
  type VmDriver,
  type VmSnapshot,
  type VmSpec,
  WORKSPACE,
} from "../driver.ts";
import { runTool } from "../image/commands.ts";
import { digest, type Image, ImageStore, replaceFile } from "../image/image-store.ts";
import { withLock } from "@smooth/platform/node/lock";
import { makeRunFolder, noteOwner, reapRunFolders, rssBytes } from "../run-folder.ts";
import { JAIL_IMAGE, JAIL_RUN, type Machine, qemuArgv } from "./argv.ts";
import { rehearse, saveQuietly, wakeAs } from "./clone.ts";
import { type Jail, jailPrefix, jailView } from "./jail.ts";
import { chooseAccel, chooseJail, type HostFacts, lookAtHost, tscKhz } from "./probe.ts";
import { launchQemu, type QemuProcess } from "./process.ts";

/** Virtual machines by QEMU, jailed.
 *  S1. A fresh VM is a clone of one booted and paused before: the base snapshot, made once per kind of machine.
 *  S2. A snapshot is used only with exactly the QEMU, command line and image it was made with; the key says so.
 *  S3. A clone gets its own randomness, time and name before anybody may use it. */

export interface QemuDriverOptions {
  /** Kernel, root file system and base snapshots. */
  readonly cacheDir: string;
  /** Short: Unix socket paths live below it. */
  readonly runDir: string;
  readonly nodeBinary: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** False boots every VM from the start. Default true. */
  readonly warmStart?: boolean;
}

interface Host {
  readonly facts: HostFacts;
  readonly qemu: string;
  readonly jail: Jail;
  readonly accel: Machine["accel"];
  readonly version: string;
}

const DEFAULT_MEMORY_MB = 768;
const BASE_NAME = "base";
const KEPT_BASE_SNAPSHOTS = 4;
const STATE = "state.bin";
const KEY = "key";

export function qemuDriver(options: QemuDriverOptions): VmDriver {
  return new QemuDriver(options);
}

class QemuDriver implements VmDriver {
  readonly name = "qemu";
  readonly #options: QemuDriverOptions;
  readonly #images: ImageStore;
  #host: Promise<Host> | null = null;
  #image: Promise<Image> | null = null;

  constructor(options: QemuDriverOptions) {
    this.#options = options;
    this.#images = new ImageStore(options);
  }

  async probe(): Promise<Probe> {
    const facts = await lookAtHost(await this.#accelRefused());
    const { accel, reason } = chooseAccel(facts);
    const jail = chooseJail(facts);
    const obstacles = await this.#images.obstacles();
    const missing = [
      ...(facts.qemu === null ? [{ reason: "QEMU is missing", fix: "apt-get install -y qemu-system-x86" }] : []),
      ...(jail === null ? [{ reason: "no jail for QEMU", fix: "apt-get install -y bubblewrap" }] : []),
      ...obstacles.map((fix) => ({ reason: "no guest image, and it cannot be built as things are", fix })),
    ];
    if (missing.length > 0 || jail === null) {
      const reasons = [...new Set(missing.map(({ reason }) => reason))];
      return { kind: "unusable", reasons, fixes: missing.map(({ fix }) => asRoot(fix)) };
    }
    const level = accel === "tcg" ? "emulated-vm" : "hardware-vm";
    return { kind: "usable", level, accel, reasons: [reason, `jailed by ${jail.kind}`], lacks: [] };
  }

  async prepare(onProgress: (progress: PrepareProgress) => void = () => {}): Promise<void> {
    const image = await this.#prepareImage(onProgress);
    if (this.#options.warmStart !== false) {
      const machine = this.#machine(await this.#hostOnce(), image, {});
      await this.#baseSnapshot(machine, onProgress);
    }
    onProgress({ phase: "ready", percent: 100, message: "the guest image is ready" });
  }

  async create(spec: VmSpec): Promise<Vm> {
    const image = await this.#prepareImage(() => {});
    const machine = this.#machine(await this.#hostOnce(), image, spec);
    if (spec.from) {
      const key = await readFile(join(spec.from.path, KEY), "utf8").catch(() => "");
      if (key !== (await this.#keyOf(machine)))
        throw new SmoothError("CONFLICT", `snapshot ${spec.from.path} was made with another QEMU, image or size`); // S2
      return this.#start(machine, spec, spec.from);
    }
    const base = this.#options.warmStart === false ? undefined : await this.#baseSnapshot(machine, () => {});
    return this.#start(machine, spec, base);
  }

  reap(): Promise<number> {
    return reapRunFolders(this.#options.runDir);
  }

  /** Everybody in this process waits for the same preparation; a failed one is tried again. */
  #prepareImage(onProgress: (progress: PrepareProgress) => void): Promise<Image> {
    this.#image ??= this.#images.prepare(onProgress).catch((error: unknown) => {
      this.#image = null;
      throw error;
    });
    return this.#image;
  }

  #hostOnce(): Promise<Host> {
    this.#host ??= this.#findHost().catch((error: unknown) => {
      this.#host = null;
      throw error;
    });
    return this.#host;
  }

  async #findHost(): Promise<Host> {
    const facts = await lookAtHost(await this.#accelRefused());
    const jail = chooseJail(facts);
    if (facts.qemu === null || jail === null)
      throw new SmoothError(
        "SANDBOX_UNAVAILABLE",
        "QEMU or bubblewrap is missing: apt-get install -y qemu-system-x86 bubblewrap",
      );
    return {
      facts,
      jail,
      qemu: facts.qemu,
      accel: chooseAccel(facts).accel,
      version: await runTool(facts.qemu, ["--version"]),
    };
  }

  #machine(host: Host, image: Image, { memoryMb = DEFAULT_MEMORY_MB, cpus = 1 }: VmSpec): Machine {
    const { accel, facts, jail } = host;
    const folders = jailView(jail, { runDir: JAIL_RUN, imageDir: JAIL_IMAGE, devices: [] });
    return { accel, memoryMb, cpus, tscKhz: accel === "tcg" ? tscKhz(facts) : null, ...folders, image };
  }

  /** S2. */
  async #keyOf(machine: Machine): Promise<string> {
    const { version, facts } = await this.#hostOnce();
    const cpu = machine.accel === "tcg" ? "" : (/^(?:flags|Features)\s*:.*$/m.exec(facts.cpuinfo)?.[0] ?? "");
    return digest([version, JSON.stringify(qemuArgv(machine)), cpu]);
  }

  /** S1. The last few kinds are kept: a changed agent or size makes a new one, 120 MB each. */
  async #baseSnapshot(machine: Machine, onProgress: (progress: PrepareProgress) => void): Promise<VmSnapshot> {
    const root = join(this.#options.cacheDir, "snapshots");
    const path = join(root, await this.#keyOf(machine));
    const used = new Date(this.#options.clock.now());
    const isThere = (): Promise<boolean> =>
      utimes(path, used, used).then(
        () => true,
        () => false,
      );
    if (await isThere()) return { path };
    await mkdir(root, { recursive: true });
    onProgress({ phase: "snapshot", percent: 90, message: "booting once, to start from there" });
    return withLock(`${path}.lock`, this.#options.clock, async () => {
      if (await isThere()) return { path };
      await using vm = await this.#start(machine, { name: BASE_NAME }, undefined);
      await rehearse(vm, BASE_NAME);
      const snapshot = await this.#save(vm, machine, path);
      await keepNewest(root);
      return snapshot;
    });
  }

  async #start(machine: Machine, spec: VmSpec, from: VmSnapshot | undefined): Promise<AgentVm> {
    const { clock, ids, log } = this.#options;
    const host = await this.#hostOnce();
    const id = ids.next("vm");
    const runDir = await makeRunFolder(this.#options.runDir, id);
    const cleanUp = (): Promise<void> => rm(runDir, { recursive: true, force: true });
    const bootMs = spec.limits?.bootMs ?? (machine.accel === "tcg" ? 120_000 : 60_000);
    const deadline = bootDeadline(bootMs, clock);
    const hostname = spec.name ?? "operator";
    const startedMs = clock.now();
    let running: QemuProcess | null = null;
    try {
      const process = await launchQemu({
        command: this.#command(host, machine, runDir),
        runDir,
        signal: deadline.signal,
        ...(from && { stateFile: join(from.path, STATE) }),
      });
      running = process;
      const vm = new AgentVm({
        id,
        process,
        clock,
        cleanUp,
        driver: this.name,
        guest: { workspace: WORKSPACE, env: GUEST_ENV },
        level: machine.accel === "tcg" ? "emulated-vm" : "hardware-vm",
        restored: from !== undefined,
        limits: spec.limits ?? {},
        onEgress: spec.onEgress,
        hostRssBytes: () => rssBytes(process.pid),
        save: (saved, folder) => saveQuietly(saved, hostname, () => this.#save(saved, machine, folder)),
      });
      this.#processes.set(vm, process);
      await noteOwner(runDir, process.pid);
      // Booted: the agent has spoken. Restored: it runs, and woke up as its own machine (S3).
      await untilReady(vm, from ? resume(process, clock).then(() => wakeAs(hostname, vm)) : vm.hello, deadline);
      vm.enforceLimits();
      log.info("vm.started", { id, restored: from !== undefined, tookMs: clock.now() - startedMs });
      return vm;
    } catch (error) {
      const said = running?.lastWords() ?? "";
      await running?.kill();
      await cleanUp();
      if (error === deadline.signal.reason && machine.accel !== "tcg") await this.#refuseAccel();
      log.warn("vm.not-started", { id, said: said.slice(-500) });
      throw error;
    } finally {
      deadline.lift();
    }
  }

  readonly #processes = new WeakMap<AgentVm, QemuProcess>();

  #command({ qemu, jail, accel }: Host, machine: Machine, runDir: string): string[] {
    const folders = { runDir, imageDir: this.#images.partsDir, devices: accel === "kvm" ? ["/dev/kvm"] : [] };
    return [...jailPrefix(jail, folders), qemu, ...qemuArgv({ ...machine, ...jailView(jail, folders) })];
  }

  /** Paused, saved to a folder that is complete or absent, and running again. */
  async #save(vm: AgentVm, machine: Machine, path: string): Promise<VmSnapshot> {
    const process = this.#processes.get(vm);
    if (!process) throw new SmoothError("CONFLICT", "this VM is gone");
    const draft = `${path}.draft-${vm.id}`;
    await mkdir(draft, { recursive: true });
    const runDir = join(this.#options.runDir, vm.id);
    const socket = Promise.withResolvers<Socket>();
    const door = createServer((connection) => socket.resolve(connection)).listen(join(runDir, "state.sock"));
    try {
      const view = jailView((await this.#hostOnce()).jail, { runDir, imageDir: "", devices: [] });
      await process.qmp.execute("stop");
      await process.qmp.execute("migrate-set-parameters", { "max-bandwidth": 10 * 2 ** 30 });
      await process.qmp.execute("migrate", { uri: `unix:${view.runDir}/state.sock` });
      await pipeline(
        await Promise.race([
          socket.promise,
          vm.stopped.then(() => Promise.reject(new SmoothError("SANDBOX_FAILED", "the VM ended while it was saved"))),
        ]),
        createWriteStream(join(draft, STATE)),
      );
      await process.qmp.execute("cont");
      await replaceFile(join(draft, KEY), Buffer.from(await this.#keyOf(machine)));
      await rm(path, { recursive: true, force: true });
      await rename(draft, path);
      return { path };
    } finally {
      door.close();
      await rm(draft, { recursive: true, force: true });
    }
  }

  async #accelRefused(): Promise<boolean> {
    const [refused, boot] = await Promise.all([readFile(this.#refusalFile, "utf8").catch(() => ""), bootId()]);
    return refused !== "" && refused === boot;
  }

  async #refuseAccel(): Promise<void> {
    await replaceFile(this.#refusalFile, Buffer.from(await bootId()));
    this.#host = null;
  }

  get #refusalFile(): string {
    return join(this.#options.cacheDir, "accel-refused");
  }
}

async function keepNewest(root: string): Promise<void> {
  const folders = (await readdir(root, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const ages = await Promise.all(
    folders.map(async ({ name }) => ({ path: join(root, name), usedMs: (await stat(join(root, name))).mtimeMs })),
  );
  const old = ages.toSorted((a, b) => b.usedMs - a.usedMs).slice(KEPT_BASE_SNAPSHOTS);
  await Promise.all(
    old.flatMap(({ path }) => [path, `${path}.lock`]).map((path) => rm(path, { recursive: true, force: true })),
  );
}

function bootId(): Promise<string> {
  return readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "unknown");
}

/** A state saved while paused arrives paused. */
async function resume({ qmp }: QemuProcess, clock: Clock): Promise<void> {
  for (;;) {
    const { status } = (await qmp.execute("query-status")) as { status: string };
    if (status === "running") return;
    if (status === "paused" || status === "postmigrate") await qmp.execute("cont");
    else await clock.sleep(2);
  }
}

/** apt-get is root's; whoever is not root asks sudo. */
const asRoot = (fix: string): string => (fix.startsWith("apt-get") && process.getuid?.() !== 0 ? `sudo ${fix}` : fix);
