/** What a <Sandbox> asks of its host: a child workflow run where it can harm nothing, and its files put in place.
 *  The port keeps nothing between its two calls: what the first brings out is recorded by the run (run/sandbox.ts). */
import type { JsonValue } from "../outputs/json.ts";
import type { WorkflowDefinition } from "../render/workflow.ts";
import type { RunEventBody } from "../run/events.ts";
import type { WordStream } from "./agent-words.ts";
import type { TaskWorktree } from "./body.ts";

export interface Sandboxes {
  /** From an empty sandbox to a bundle; the sandbox is gone when it resolves. Rejects with SANDBOX_UNAVAILABLE (nothing here may
   *  run it), SANDBOX_EXECUTION_FAILED, SANDBOX_BUNDLE_INVALID, SANDBOX_BUNDLE_TOO_LARGE, or what the child failed with. */
  run(call: SandboxCall): Promise<SandboxBundle>;
  /** Writes the bundle's files, all or none as far as a disk allows; those that are in place already are left alone.
   *  Rejects with MERGE_CONFLICT, naming the first path that is neither as the sandbox saw it nor as it left it. */
  apply(files: readonly BundleFile[], worktree: TaskWorktree | null): Promise<void>;
}

export const SANDBOX_RUNTIMES = ["microvm", "gvisor", "bubblewrap", "docker", "process"] as const;
export type SandboxRuntime = (typeof SANDBOX_RUNTIMES)[number];

/** What the author asks for. */
export interface SandboxSpec {
  /** Null: there is only a command. */
  readonly child: SandboxChild | null;
  /** Null: the strongest that the host has. */
  readonly runtime: SandboxRuntime | null;
  readonly allowNetwork: boolean;
  readonly env: Readonly<Record<string, string>>;
  readonly memoryMb: number | null;
  readonly cpus: number | null;
  /** Instead of running the child workflow by the engine. */
  readonly command: readonly string[] | null;
  /** Copied in, never out. */
  readonly volumes: readonly { readonly host: string; readonly container: string }[];
  /** A person looks at changed files before they are written. */
  readonly review: boolean;
}

export type SandboxChild =
  | { readonly kind: "workflow"; readonly workflow: WorkflowDefinition; readonly input: JsonValue }
  /** What stands below the element, in the workflow it stands in. */
  | { readonly kind: "children" };

export interface SandboxCall {
  readonly spec: SandboxSpec;
  /** Name of the element's output: whose row the children answer with. */
  readonly output: string;
  readonly runId: string;
  readonly nodeId: string;
  readonly iteration: number;
  readonly attempt: number;
  readonly idempotencyKey: string;
  readonly worktree: TaskWorktree | null;
  readonly timeoutMs: number | null;
  /** Aborted when the step is cancelled, timed out or let go: nothing of the sandbox may be left then. */
  readonly signal: AbortSignal;
  /** The run around it, as the sandbox's children would read it. */
  readonly around: () => SandboxSurroundings;
  readonly beat: (payload: JsonValue) => void;
  readonly say: (stream: WordStream, text: string) => void;
  readonly note: (event: SandboxEvent) => void;
}

export interface SandboxSurroundings {
  readonly workflow: WorkflowDefinition;
  readonly input: JsonValue;
  /** Rows of the run so far, as `rowToJson` writes them. */
  readonly rows: readonly {
    readonly table: string;
    readonly nodeId: string;
    readonly iteration: number;
    readonly row: string;
  }[];
  readonly loops: readonly (readonly [loopId: string, iteration: number])[];
}

export type SandboxEvent = Extract<RunEventBody, { type: "sandbox.created" | "sandbox.shipped" | "sandbox.completed" }>;

/** What a sandbox leaves behind. */
export interface SandboxBundle {
  /** What becomes the step's row. */
  readonly output: unknown;
  readonly files: readonly BundleFile[];
  /** What a person sees of the files; cut when it is long. */
  readonly patch: string;
  readonly runtime: SandboxRuntime;
  readonly level: string;
}

/** One path below the workspace. `before`: as the sandbox was given it; `after`: as it left it. Null: not there. */
export interface BundleFile {
  readonly path: string;
  readonly before: FileVersion | null;
  readonly after: (FileVersion & { readonly content: string }) | null;
}

/** `hash`: SHA-256 of the content, or of a link's target; `content` is base64. */
export interface FileVersion {
  readonly kind: "file" | "link";
  readonly hash: string;
  readonly executable: boolean;
}
