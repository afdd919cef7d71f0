import { SmoothError } from "@smooth/protocol/errors";
import type { TreeChange } from "./vcs.ts";

/** Which paths an operator's tree may contain.
 *  P1. Relative, no empty, `.` or `..` part, no NUL, and no part that any file system could take for `.git`.
 *  P2. A link stays inside the tree. */

const decoder = new TextDecoder("utf-8", { fatal: true });

export function assertChange(change: TreeChange): void {
  assertPath(change.path);
  if (change.kind === "write" && change.mode === "120000") assertLink(change.path, change.bytes);
}

function assertPath(path: string): void {
  const parts = path.split("/");
  const bad =
    path.includes("\0") || parts.some((part) => part === "" || part === "." || part === ".." || isGitDir(part));
  if (bad) throw refused(path, "it leaves the tree or names git's own folder");
}

/** `.GIT`, `git~1`, `.git.`, `.git `, and `.g<zero width>it` all open `.git` on some file system. */
function isGitDir(part: string): boolean {
  const plain = part
    .toLowerCase()
    .replaceAll(/[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g, "")
    .replace(/[. ]+$/, "")
    .replace(/:.*$/, "");
  return plain === ".git" || /^git~\d+$/.test(plain);
}

function assertLink(path: string, bytes: Uint8Array): void {
  const target = decodeTarget(path, bytes);
  const depth = target.split("/").reduce(
    (level, part) => {
      if (level < 0 || part === "" || part === ".") return level;
      return part === ".." ? level - 1 : level + 1;
    },
    path.split("/").length - 1,
  );
  if (target === "" || target.startsWith("/") || target.includes("\0") || depth < 0)
    throw refused(path, `its link target ${JSON.stringify(target)} leaves the tree`);
}

function decodeTarget(path: string, bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw refused(path, "its link target is not UTF-8");
  }
}

const refused = (path: string, why: string): SmoothError =>
  new SmoothError("INVALID_INPUT", `the tree contains ${JSON.stringify(path)}, which is refused: ${why}`, {
    details: { path },
  });
