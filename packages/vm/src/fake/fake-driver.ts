import { once } from "node:events";
import { type Duplex, duplexPair, PassThrough, Readable, type Writable } from "node:stream";
import { posix } from "node:path";
import type { Clock, Ids } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import {
  type Exec,
  type ExecOutcome,
  type ExecRequest,
  GUEST_ENV,
  type Vm,
  type VmDriver,
  type VmSnapshot,
  type VmSpec,
  type VmStop,
  WORKSPACE,
} from "../driver.ts";
import { extractTree } from "../tree/extract.ts";
import { matcher, namesOf } from "../tree/paths.ts";
import { readTar } from "../tree/tar-read.ts";
import { tarHeader, TAR_BLOCK, tarOf } from "../tree/tar-write.ts";
import { BUILTINS } from "./fake-programs.ts";

/** A driver that behaves like one and boots nothing: files in a map, programs as functions. For tests of rooms that drive VMs.
 *  It isolates nothing and executes no command: a program it was not given does not start. */

export interface FakeProcess {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Aborted by a deadly signal, a deadline, or the end of the VM. */
  readonly signal: AbortSignal;
  readonly files: FakeFiles;
  /** What a connection to 127.0.0.1:3128 is in a real guest. */
  readonly connect: () => Duplex;
}

/** Answers the exit code. */
export type FakeProgram = (process: FakeProcess) => Promise<number>;

export type FakeFiles = Map<string, FakeFile>;
export interface FakeFile {
  readonly content: Buffer;
  readonly mode: number;
  /** Set for a symbolic link. */
  readonly target?: string;
}

export interface FakeDriverOptions {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly programs?: Readonly<Record<string, FakeProgram>>;
}

export function fakeDriver(options: FakeDriverOptions): VmDriver & { readonly running: ReadonlySet<Vm> } {
  const running = new Set<Vm>();
  const snapshots = new Map<string, FakeFiles>();
  return {
    name: "fake",
    running,
    probe: async () => ({
      kind: "usable",
      level: "process",
      accel: "none",
      reasons: ["a fake: nothing is executed"],
      lacks: [],
    }),
    async prepare(onProgress = () => {}) {
      onProgress({ phase: "ready", percent: 100, message: "nothing to prepare" });
    },
    async create(spec) {
      const files = spec.from ? snapshots.get(spec.from.path) : new Map();
      if (!files) throw new SmoothError("CONFLICT", `no snapshot at ${spec.from?.path}`);
      const vm = new FakeVm({
        ...options,
        spec,
        files: new Map(files),
        save: (path, saved) => snapshots.set(path, saved),
      });
      running.add(vm);
      void vm.stopped.then(() => running.delete(vm));
      return vm;
    },
    reap: async () => 0,
  };
}

interface FakeVmParts extends FakeDriverOptions {
  readonly spec: VmSpec;
  readonly files: FakeFiles;
  readonly save: (path: string, files: FakeFiles) => void;
}

class FakeVm implements Vm {
  readonly driver = "fake";
  readonly level = "process";
  readonly workspace = WORKSPACE;
  readonly id: string;
  readonly restored: boolean;
  readonly stopped: Promise<VmStop>;
  readonly #parts: FakeVmParts;
  readonly #startedMs: number;
  readonly #over = new AbortController();
  readonly #stop = Promise.withResolvers<VmStop>();
  #processes = 0;

  constructor(parts: FakeVmParts) {
    this.#parts = parts;
    this.id = parts.ids.next("vm");
    this.restored = parts.spec.from !== undefined;
    this.stopped = this.#stop.promise;
    this.#startedMs = parts.clock.now();
    const { wallMs } = parts.spec.limits ?? {};
    if (wallMs !== undefined)
      parts.clock.sleep(wallMs, this.#over.signal).then(
        () => this.#end({ kind: "limit", limit: "wallMs" }),
        () => {},
      );
  }

  exec({ argv, cwd = WORKSPACE, env = {}, timeoutMs }: ExecRequest): Exec {
    const [name = ""] = argv;
    const stdin = new PassThrough();
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    const outcome = Promise.withResolvers<ExecOutcome>();
    const ended = new AbortController();
    const finish = (value: ExecOutcome): void => {
      outcome.resolve(value);
      ended.abort();
      for (const stream of [stdout, stderr]) stream.end();
    };
    void outcome.promise.then(() => (this.#processes -= 1));
    this.#processes += 1;
    const program = this.#parts.programs?.[name] ?? BUILTINS[name];
    if (this.#over.signal.aborted) finish({ kind: "vm-gone" });
    else if (!program) finish({ kind: "not-started", reason: `${name}: not found` });
    else {
      this.#over.signal.addEventListener("abort", () => finish({ kind: "vm-gone" }));
      if (timeoutMs !== undefined)
        this.#parts.clock.sleep(timeoutMs, ended.signal).then(
          () => finish({ kind: "timed-out" }),
          () => {},
        );
      const process: FakeProcess = {
        argv,
        cwd,
        env: { ...GUEST_ENV, ...env },
        stdin,
        stdout,
        stderr,
        signal: ended.signal,
        files: this.#parts.files,
        connect: () => this.#connect(),
      };
      program(process).then(
        (code) => finish({ kind: "exited", code }),
        () => finish({ kind: "exited", code: 1 }),
      );
    }
    const deadly = new Set(["SIGTERM", "SIGKILL", "SIGINT", "SIGHUP", "SIGQUIT"]);
    return {
      stdin,
      stdout,
      stderr,
      outcome: outcome.promise,
      signal: (signal) => deadly.has(signal) && finish({ kind: "signaled", signal }),
    };
  }

  async putTree({ to, ...what }: Parameters<Vm["putTree"]>[0]): ReturnType<Vm["putTree"]> {
    this.#alive();
    const tally = { files: 0, bytes: 0, skipped: [] };
    for await (const entry of readTar(tarOf(what, tally))) {
      const path = posix.join(to, entry.path);
      const chunks: Buffer[] = [];
      for await (const chunk of entry.body()) chunks.push(chunk);
      if (entry.kind === "link")
        this.#parts.files.set(path, { content: Buffer.alloc(0), mode: 0o777, target: entry.target });
      if (entry.kind === "file")
        this.#parts.files.set(path, { content: Buffer.concat(chunks), mode: entry.executable ? 0o755 : 0o644 });
    }
    return tally;
  }

  getTree({ from, paths = ["."], ...how }: Parameters<Vm["getTree"]>[0]): ReturnType<Vm["getTree"]> {
    this.#alive();
    const wanted = (path: string): boolean =>
      paths.some((prefix) => prefix === "." || path === prefix || path.startsWith(`${prefix}/`));
    const below = [...this.#below(from)].filter(([path]) => wanted(path));
    const tar = below.flatMap(([path, { content, mode, target }]) => [
      tarHeader({
        path,
        type: target === undefined ? "0" : "2",
        mode,
        sizeBytes: content.length,
        mtimeMs: 0,
        ...(target !== undefined && { target }),
      }),
      content,
      Buffer.alloc((TAR_BLOCK - (content.length % TAR_BLOCK)) % TAR_BLOCK),
    ]);
    return extractTree(Readable.from([Buffer.concat([...tar, Buffer.alloc(TAR_BLOCK * 2)])]), how);
  }

  async changes(root: string, { since, exclude = [] }: Parameters<Vm["changes"]>[1] = {}): ReturnType<Vm["changes"]> {
    this.#alive();
    const left = matcher(exclude);
    const stamp = new Map(
      [...this.#below(root)]
        .filter(([path]) => !left(path))
        .map(([path, file]) => [path, `${file.mode} ${file.target ?? ""} ${file.content.toString("base64")}`]),
    );
    const changed = [...stamp].filter(([path, version]) => since?.get(path) !== version).map(([path]) => path);
    const deleted = [...(since?.keys() ?? [])].filter((path) => !stamp.has(path));
    return { changed: changed.toSorted(), deleted: deleted.toSorted(), stamp };
  }

  async readFile(path: string, maxBytes = Number.POSITIVE_INFINITY): Promise<Buffer> {
    this.#alive();
    const file = this.#parts.files.get(path);
    const code = !file ? "ENOENT" : file.content.length > maxBytes ? "EFBIG" : null;
    if (!file || code !== null)
      throw new SmoothError("SANDBOX_FAILED", `read: ${path}: ${code}`, { details: { code } });
    return file.content;
  }

  async writeFile(path: string, content: Uint8Array, mode = 0o644): Promise<void> {
    this.#alive();
    this.#parts.files.set(path, { content: Buffer.from(content), mode });
  }

  async stats(): ReturnType<Vm["stats"]> {
    this.#alive();
    return {
      uptimeMs: this.#parts.clock.now() - this.#startedMs,
      memTotalBytes: 0,
      memAvailableBytes: 0,
      load1: 0,
      processes: this.#processes,
      hostRssBytes: 0,
    };
  }

  async snapshot(folder: string): Promise<VmSnapshot> {
    this.#alive();
    if (this.#processes > 0) throw new SmoothError("CONFLICT", `${this.#processes} streams of this VM are still open`);
    this.#parts.save(folder, new Map(this.#parts.files));
    return { path: folder };
  }

  stop = async (): Promise<void> => this.#end({ kind: "stopped" });
  kill = async (): Promise<void> => this.#end({ kind: "killed" });
  [Symbol.asyncDispose] = (): Promise<void> => this.kill();

  #end(reason: VmStop): void {
    this.#stop.resolve(reason);
    this.#over.abort();
  }

  #alive(): void {
    if (this.#over.signal.aborted) throw new SmoothError("SANDBOX_FAILED", "the VM is gone");
  }

  #connect(): Duplex {
    const [guest, host] = duplexPair();
    void once(this.#over.signal, "abort").then(() => host.destroy());
    if (this.#parts.spec.onEgress) this.#parts.spec.onEgress(host);
    else host.destroy();
    return guest;
  }

  *#below(root: string): Generator<[string, FakeFile]> {
    for (const [path, file] of this.#parts.files) {
      const relative = posix.relative(root, path);
      if (!("refused" in namesOf(relative))) yield [relative, file];
    }
  }
}
