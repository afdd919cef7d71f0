/** Judgements on paths of a tree that somebody else wrote. All lexical: nothing is looked up. */

const MAX_PATH_BYTES = 4_096;
const MAX_NAME_BYTES = 255;

/** A relative path as its names, or why it is refused. `./a//b/` is `a/b`. */
export function namesOf(path: string): readonly string[] | { readonly refused: string } {
  if (path.includes("\0") || path.includes("\uFFFD")) return { refused: "name is not plain text" };
  if (path.startsWith("/")) return { refused: "absolute path" };
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return { refused: "path too long" };
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  if (names.includes("..")) return { refused: "path leaves the tree" };
  if (names.some((name) => Buffer.byteLength(name) > MAX_NAME_BYTES)) return { refused: "name too long" };
  return names;
}

/** True when the link at `path` cannot lead out of the tree, whatever other such links it passes through: it may go up only
 *  at its start (from a real folder), and never above the root. `a/..` could pass through a link and is refused. */
export function linkStaysInside(path: string, target: string): boolean {
  if (target === "" || target.startsWith("/") || target.includes("\0") || Buffer.byteLength(target) > MAX_PATH_BYTES)
    return false;
  const names = target.split("/").filter((name) => name !== "" && name !== ".");
  const climbs = names.findIndex((name) => name !== "..");
  const up = climbs === -1 ? names.length : climbs;
  if (names.slice(up).includes("..")) return false;
  return up <= path.split("/").filter((name) => name !== "" && name !== ".").length - 1;
}

/** Does a pattern name this path? A pattern without a slash names any file or folder of that name, with one a path. */
export function matcher(patterns: readonly string[]): (path: string) => boolean {
  const names = new Set(patterns.filter((pattern) => !pattern.includes("/")));
  const paths = patterns
    .filter((pattern) => pattern.includes("/"))
    .map((pattern) => pattern.replace(/^\.?\/+|\/+$/g, ""));
  return (path) =>
    path.split("/").some((name) => names.has(name)) ||
    paths.some((prefix) => path === prefix || path.startsWith(`${prefix}/`));
}
