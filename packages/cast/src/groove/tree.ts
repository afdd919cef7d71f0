import { z } from "zod";

/** A workspace as plain data: paths with what is behind them; the bytes live in the blob store.
 *  W1. A path is relative, with no `.`, `..`, empty part, backslash trick or NUL: restoring it cannot leave the workspace.
 *  W2. A path is a file, a link or a folder, never two of them. */

export const TreePath = z
  .string()
  .min(1)
  .max(4_096)
  .refine(
    (path) => !path.includes("\0") && path.split("/").every((part) => part !== "" && part !== "." && part !== ".."),
    "a relative path without dots",
  );

const Mode = z.int().min(0).max(0o777);
export const TreeEntry = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("file"),
    path: TreePath,
    mode: Mode,
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    sizeBytes: z.int().nonnegative(),
  }),
  z.object({ kind: z.literal("link"), path: TreePath, target: z.string().min(1).max(4_096) }),
]);
export type TreeEntry = z.infer<typeof TreeEntry>;

export interface TreeChange {
  readonly changed: readonly TreeEntry[];
  readonly deleted: readonly string[];
}

/** The change and everything that has to go because of it: a file where a folder was, a folder where a file was (W2). */
export function withConflicts(tree: readonly TreeEntry[], { changed, deleted }: TreeChange): TreeChange {
  const fresh = new Set(changed.map(({ path }) => path));
  const parents = new Set(changed.flatMap(({ path }) => parentsOf(path)));
  const gone = tree
    .map(({ path }) => path)
    .filter((path) => !fresh.has(path) && (parents.has(path) || parentsOf(path).some((parent) => fresh.has(parent))));
  return { changed, deleted: [...new Set([...deleted.filter((path) => !fresh.has(path)), ...gone])] };
}

/** What turns `from` into `to`, byte for byte, modes and links too. */
export function treeDifference(from: readonly TreeEntry[], to: readonly TreeEntry[]): TreeChange {
  const before = new Map(from.map((entry) => [entry.path, entry]));
  const after = new Set(to.map(({ path }) => path));
  return {
    changed: to.filter((entry) => !same(before.get(entry.path), entry)),
    deleted: from.map(({ path }) => path).filter((path) => !after.has(path)),
  };
}

function same(one: TreeEntry | undefined, other: TreeEntry): boolean {
  if (one?.kind === "file" && other.kind === "file") return one.sha256 === other.sha256 && one.mode === other.mode;
  return one?.kind === "link" && other.kind === "link" && one.target === other.target;
}

function parentsOf(path: string): string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_part, index) => parts.slice(0, index + 1).join("/"));
}
