/** The place tools work in: files under one root, and processes started there.
 *  R1. No path leaves the root, neither by `..` nor by a symbolic link; leaving is an answer, not an exception.
 *  R2. Every process started here is gone, with all its children, when its run is cancelled or times out, or when the workspace closes. */

export interface Workspace extends AsyncDisposable {
  /** Absolute, links resolved. */
  readonly root: string;
  /** A regular file's bytes. Never blocks on pipes or devices. */
  read(path: string, maxBytes: number): Promise<Access<Uint8Array>>;
  /** Creates parent folders; keeps the mode of an existing file. */
  write(path: string, bytes: Uint8Array): Promise<Access<null>>;
  /** Names in one folder, sorted; folders end with `/`. */
  list(path: string): Promise<Access<readonly string[]>>;
  /** Never rejects: what went wrong is the answer. */
  run(command: Command): Promise<Exit>;
}

export type Access<T> =
  | { readonly kind: "ok"; readonly value: T }
  | {
      readonly kind: "refused";
      readonly reason: "outside" | "missing" | "not-a-file" | "not-a-folder" | "too-large" | "failed";
      readonly message: string;
    };

export interface Command {
  readonly argv: readonly [string, ...string[]];
  /** Relative to the root; the root itself when absent. */
  readonly cwd?: string;
  readonly timeoutMs: number;
  readonly maxOutputBytes: number;
  readonly signal?: AbortSignal;
}

/** `output` is stdout and stderr as they came, already cut to `maxOutputBytes`. */
export type Exit =
  | { readonly kind: "exited"; readonly code: number; readonly output: string }
  | { readonly kind: "killed"; readonly by: "timeout" | "cancel" | "signal"; readonly output: string }
  | { readonly kind: "not-started"; readonly message: string };

/** `a/./b/../c` → `a/c` under the root; null when it leaves. The root itself is the empty string. */
export function pathInRoot(root: string, path: string): string | null {
  if (path.includes("\0")) return null;
  const absolute = path.startsWith("/");
  const parts: string[] = [];
  for (const part of (absolute ? path : `${root}/${path}`).split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return null;
  }
  const normal = `/${parts.join("/")}`;
  if (normal === root) return "";
  const prefix = root === "/" ? "/" : `${root}/`;
  return normal.startsWith(prefix) ? normal.slice(prefix.length) : null;
}
