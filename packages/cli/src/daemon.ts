/** What the composition root gives to `th`: the two things that are done on this machine and not asked of a host. */

export interface DaemonOptions {
  /** Where the host keeps its files: SMOOTH_HOME, or ~/.smooth. */
  readonly home: string;
  /** null: the host's own choice. 0: any free one. */
  readonly port: number | null;
}

/** Serving when it resolves: host.json is written. Throws SmoothError when it cannot serve. */
export type StartDaemon = (options: DaemonOptions) => Promise<Daemon>;

export interface Daemon extends AsyncDisposable {
  readonly url: string;
  /** Settles when the host was told to stop by `shutdown`. */
  readonly stopped: Promise<void>;
}

export interface DoctorReport {
  readonly checks: readonly {
    readonly name: string;
    readonly ok: boolean;
    readonly detail: string;
    /** What to type, or null when there is nothing to do. */
    readonly fix: string | null;
  }[];
}

export type RunDoctor = (options: { readonly home: string }) => Promise<DoctorReport>;

/** Builds the guest image where it is missing. Throws SANDBOX_UNAVAILABLE, naming what to install. */
export type PrepareSandbox = (
  onProgress: (message: string, percent: number) => void,
) => Promise<{ /** Where it lies. */ readonly images: string }>;

/** A workflow's first frame. Throws what the file and its render throw. */
export type GraphOf = (file: string, input: unknown) => Promise<Graph>;

export interface Graph {
  readonly tree: GraphNode | null;
  readonly tasks: readonly {
    readonly nodeId: string;
    readonly type: string;
    readonly label: string;
    readonly output: string | null;
    /** Node ids, with `::iteration`. */
    readonly dependsOn: readonly string[];
    readonly needsApproval: boolean;
  }[];
  readonly warnings: readonly string[];
}

export interface GraphNode {
  readonly tag: string;
  readonly props: Readonly<Record<string, string>>;
  readonly children: readonly GraphNode[];
}

export interface Program {
  /** What was typed after the program's name. */
  readonly argv: readonly string[];
  readonly version: string;
}

export interface SmithersProgram extends Program {
  readonly graphOf: GraphOf;
}

export interface ThProgram extends Program {
  readonly startDaemon: StartDaemon;
  readonly runDoctor: RunDoctor;
  readonly prepareSandbox: PrepareSandbox;
}
