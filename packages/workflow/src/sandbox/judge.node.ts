/** What no path of a bundle may be, whoever agrees to it. A guest that owns its kernel forges what its `find` and `tar` say.
 *  J1. A path is written one way, is plain text, and passes nothing that is left out, in whatever case its letters are.
 *  J2. A link leads to a place that could be written itself: inside, not left out, not refused by the host.
 *  J3. Nothing stands below a file or link of the same bundle.
 *  J4. No two files of a bundle have names that differ in letter case only: what a person agreed to is all there. */
import { posix } from "node:path";
import { REORDERING } from "./patch.ts";
import { isLeftOut } from "./workspace.node.ts";

/** Why a path of the host may not be written; null: it may. */
export type Refusal = (path: string) => string | null;

/** J1 */
export function pathRefusal(path: string): string | null {
  if (/\p{Cc}/u.test(path)) return "its name has control characters";
  if (REORDERING.test(path)) return "its name has characters that show it as another";
  if (path.split("/").some((name) => name.startsWith(PART))) return "this host uses such names while it writes";
  if (leaves(path) || posix.normalize(path) !== path || path.endsWith("/")) return "it is no path below the workspace";
  return isLeftOut(path) ? "nothing of that name comes out of a sandbox" : null;
}

/** J2. Lexical: what is on the host's way there is looked at when something is written. */
export function linkRefusal(path: string, target: string, refusal: Refusal): string | null {
  const leadsTo = posix.normalize(posix.join(posix.dirname(path), target));
  if (posix.isAbsolute(target) || leaves(leadsTo)) return "it is a link that leads out of the workspace";
  if (isLeftOut(target)) return `it is a link to ${target}, and nothing of that name comes out of a sandbox`;
  const why = refusal(leadsTo);
  return why === null ? null : `it is a link to ${target}: ${why}`;
}

/** Beside its place, a file that is not whole yet. */
export const PART = ".smooth-part-";

/** J4. The first that some file system takes for another of the bundle. */
export function twinPath(files: readonly { readonly path: string; readonly after: unknown }[]): string | null {
  const there = new Set<string>();
  for (const { path, after } of files) {
    const plain = path.normalize("NFC").toLowerCase();
    if (after !== null && there.has(plain)) return path;
    if (after !== null) there.add(plain);
  }
  return null;
}

/** J3. The first path with a file or link of the bundle on its way. What is deleted below it goes before it comes. */
export function buriedPath(files: readonly { readonly path: string; readonly after: unknown }[]): string | null {
  const there = new Set(files.filter(({ after }) => after !== null).map(({ path }) => path));
  return files.find(({ path, after }) => after !== null && waysTo(path).some((way) => there.has(way)))?.path ?? null;
}

/** `a/b/c` → `a`, `a/b`. */
export function waysTo(path: string): readonly string[] {
  const names = path.split("/");
  return names.slice(1).map((_, depth) => names.slice(0, depth + 1).join("/"));
}

const leaves = (path: string): boolean =>
  path === "" || path === ".." || path.startsWith("../") || path.startsWith("/");
