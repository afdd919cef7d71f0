import type { Duplex, Readable, Writable } from "node:stream";
import type { IsolationLevel } from "@smooth/protocol/policy";

/** What a sandbox can do, whoever provides it. Every driver passes `driver.contract.ts`.
 *  V1. `probe` never throws, and always answers.
 *  V2. `prepare` may be called at any time, by several processes at once, and does only what is missing.
 *  V3. `create` answers a VM whose agent has spoken, or throws SANDBOX_FAILED / SANDBOX_UNAVAILABLE / TIMED_OUT by the deadline,
 *      leaving nothing behind.
 *  V4. A guest has one way out: each connection it makes to 127.0.0.1:3128 arrives at `onEgress`. Without `onEgress`
 *      the connection is closed at once.
 *  V5. Whatever a guest says, methods answer with values or SmoothErrors; a guest that breaks the protocol is stopped.
 *  V6. After `kill` (10 ms) or disposal nothing of the VM is left: no process, no run folder. */

export interface VmDriver {
  readonly name: string;
  probe(): Promise<Probe>;
  prepare(onProgress?: (progress: PrepareProgress) => void): Promise<void>;
  create(spec: VmSpec): Promise<Vm>;
  /** Removes what crashed hosts left behind. Answers how many VMs' remains were removed. */
  reap(): Promise<number>;
}

export type Probe =
  | {
      readonly kind: "usable";
      readonly level: IsolationLevel;
      readonly accel: string;
      readonly reasons: readonly string[];
      /** What this driver cannot give here, each with why. Whoever asks for it gets SANDBOX_UNAVAILABLE. */
      readonly lacks: readonly Lack[];
    }
  | {
      readonly kind: "unusable";
      readonly reasons: readonly string[];
      /** What to do, one command or sentence each. */ readonly fixes: readonly string[];
    };

export interface Lack {
  readonly capability: Capability;
  readonly reason: string;
}

export type Capability =
  /** `snapshot`, and `create` from one. */
  | "snapshot"
  /** `memoryMb` holds for the whole VM, not only for each of its processes. */
  | "memory-sum"
  /** The guest has its own files, network and processes. Without it, it is the host's user under another name. */
  | "walls";

export interface PrepareProgress {
  readonly phase: "waiting" | "kernel" | "rootfs" | "agent" | "snapshot" | "ready";
  readonly percent: number;
  readonly message: string;
}

export interface VmSpec {
  /** Lower case letters, digits and dashes; becomes the guest's host name. */
  readonly name?: string;
  /** Default 768. */
  readonly memoryMb?: number;
  /** Default 1. */
  readonly cpus?: number;
  readonly limits?: VmLimits;
  /** One Duplex per connection of the guest. Policy is the callee's: Goalie takes it as it is. */
  readonly onEgress?: (connection: Duplex) => void;
  /** Start as a clone of this snapshot instead of a fresh machine. */
  readonly from?: VmSnapshot;
}

export interface VmLimits {
  /** From `create` to an answering agent. Default 10 s accelerated, 30 s emulated. */
  readonly bootMs?: number;
  /** The VM is killed when it has lived this long. */
  readonly wallMs?: number;
  /** The VM is killed when no exec, file or egress stream was open for this long. */
  readonly idleMs?: number;
}

export interface VmSnapshot {
  /** A folder owned by whoever asked for the snapshot; removing it removes the snapshot. */
  readonly path: string;
}

export type VmStop =
  | { readonly kind: "killed" }
  | { readonly kind: "stopped" }
  | { readonly kind: "limit"; readonly limit: "wallMs" | "idleMs" }
  /** The guest broke the protocol. */
  | { readonly kind: "faulted"; readonly reason: string }
  | { readonly kind: "died"; readonly reason: string };

export interface Vm extends AsyncDisposable {
  readonly id: string;
  readonly driver: string;
  readonly level: IsolationLevel;
  /** True when it came from a snapshot. */
  readonly restored: boolean;
  /** Where commands start: `WORKSPACE`, or a folder of the host where there are no walls. */
  readonly workspace: string;
  /** Resolves once, when the VM is gone for whatever reason. Never rejects. */
  readonly stopped: Promise<VmStop>;

  /** Never throws: what goes wrong is in `outcome`. */
  exec(request: ExecRequest): Exec;
  /** Copies a host folder into the guest: regular files, folders and links that stay inside. */
  putTree(request: PutTree): Promise<PutReport>;
  /** Copies a guest folder out into a host folder. The guest's tree is hostile: see `tree/extract.ts`. */
  getTree(request: GetTree): Promise<GetReport>;
  /** What changed below `root` since `since` (everything when absent), and the stamp to ask with next time. */
  changes(root: string, options?: ChangesOptions): Promise<Changes>;
  readFile(path: string, maxBytes?: number): Promise<Buffer>;
  writeFile(path: string, content: Uint8Array, mode?: number): Promise<void>;
  stats(): Promise<VmStats>;
  /** Pauses, saves into `folder` (made when missing), continues. Refused with CONFLICT while streams are open. */
  snapshot(folder: string): Promise<VmSnapshot>;
  /** Asks the guest to power off, kills after `graceMs` (default 2000). */
  stop(graceMs?: number): Promise<void>;
  kill(): Promise<void>;
}

export interface PutTree {
  /** A folder of the host. */
  readonly from: string;
  /** A folder of the guest, made when missing. */
  readonly to: string;
  /** Only these paths (relative to `from`) and what is below them. */
  readonly include?: readonly string[];
  /** Names (`node_modules`) or relative paths (`packages/web/dist`) left out, with everything below. */
  readonly exclude?: readonly string[];
  /** Default 100 MiB; over it PAYLOAD_TOO_LARGE is thrown and the guest keeps what it has. */
  readonly maxBytes?: number;
}

export interface PutReport {
  readonly files: number;
  readonly bytes: number;
  /** Devices, sockets and links that leave the tree. */
  readonly skipped: readonly string[];
}

export interface GetTree {
  /** A folder of the guest. */
  readonly from: string;
  /** A folder of the host, made when missing; existing files are replaced. */
  readonly to: string;
  /** Only these paths, relative to `from`. */
  readonly paths?: readonly string[];
  readonly exclude?: readonly string[];
  /** Default 100 MiB in total. Over it, or over `maxEntries` (default 100 000), PAYLOAD_TOO_LARGE. */
  readonly maxBytes?: number;
  readonly maxEntries?: number;
  /** Why a path is not wanted, judged on this side; null: it is. */
  readonly refuse?: (path: string) => string | null;
}

export interface GetReport {
  readonly files: number;
  readonly bytes: number;
  /** Entries that were not written, and why. */
  readonly refused: readonly { readonly path: string; readonly reason: string }[];
}

export interface ChangesOptions {
  readonly since?: TreeStamp;
  readonly exclude?: readonly string[];
}

export interface Changes {
  /** Files and links, relative, sorted. Folders show only through what is in them. */
  readonly changed: readonly string[];
  readonly deleted: readonly string[];
  readonly stamp: TreeStamp;
}

/** Path → what tells one version of a file from another. Opaque; lives as long as the caller keeps it. */
export type TreeStamp = ReadonlyMap<string, string>;

export interface ExecRequest {
  /** A program and its arguments, never a shell string. */
  readonly argv: readonly string[];
  /** Default `Vm.workspace`. */
  readonly cwd?: string;
  /** On top of `GUEST_ENV`, which a driver may correct where its guest differs. */
  readonly env?: Readonly<Record<string, string>>;
  /** SIGKILL to the process group after this long; the outcome is then `timed-out`. */
  readonly timeoutMs?: number;
}

export type Signal =
  | "SIGTERM"
  | "SIGKILL"
  | "SIGINT"
  | "SIGHUP"
  | "SIGQUIT"
  | "SIGSTOP"
  | "SIGCONT"
  | "SIGUSR1"
  | "SIGUSR2";

/** Both outputs must be read (or destroyed): the process waits for its reader. */
export interface Exec {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** To the whole process group. */
  signal(signal: Signal): void;
  /** When the process was waited for. Never rejects. */
  readonly outcome: Promise<ExecOutcome>;
}

export type ExecOutcome =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "signaled"; readonly signal: string }
  | { readonly kind: "timed-out" }
  | { readonly kind: "not-started"; readonly reason: string }
  | { readonly kind: "vm-gone" };

export interface VmStats {
  readonly uptimeMs: number;
  readonly memTotalBytes: number;
  readonly memAvailableBytes: number;
  readonly load1: number;
  readonly processes: number;
  /** What the VM costs the host now. */
  readonly hostRssBytes: number;
}

export const PROXY = "http://127.0.0.1:3128";

/** Every exec sees these; the request's own come on top. */
export const GUEST_ENV: Readonly<Record<string, string>> = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  USER: "root",
  LANG: "C.UTF-8",
  TERM: "dumb",
  HTTP_PROXY: PROXY,
  HTTPS_PROXY: PROXY,
  http_proxy: PROXY,
  https_proxy: PROXY,
  NO_PROXY: "localhost",
  no_proxy: "localhost",
  NODE_USE_ENV_PROXY: "1",
};

export const WORKSPACE = "/workspace";
