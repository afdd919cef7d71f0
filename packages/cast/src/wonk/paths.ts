import type { AccessRequest, Decision } from "@smooth/protocol/policy";
import { globMatches, protectsPath } from "./glob.ts";
import type { Policy } from "./policy.ts";
import { baseName, type Part, type ShellWord } from "./shell.ts";

/** Which files may be read and written.
 *  F1. A path that is not resolved (relative, `..`, empty segments) is denied: prefixes could lie.
 *  F2. Protection ignores letter case; permission does not. */

export type PathRequest = Extract<AccessRequest, { kind: "read" | "write" }>;
export type Decide = (request: PathRequest) => Decision;

export function decidePath({ filesystem }: Policy, { kind, path }: PathRequest): Decision {
  if (!isResolved(path))
    return {
      kind: "deny",
      rule: "filesystem.unresolved",
      reason: `${path.slice(0, 200)} is not a resolved absolute path`,
    };
  const guarded = protection(filesystem, { kind, path });
  if (guarded) return guarded;
  const open = (kind === "read" ? filesystem.readable : filesystem.writable).find((pattern) =>
    globMatches(pattern, path),
  );
  if (open !== undefined)
    return { kind: "allow", rule: `filesystem.${kind === "read" ? "readable" : "writable"}:${open}` };
  return {
    kind: "deny",
    rule: `filesystem.${kind}-default`,
    reason: `no rule opens ${path} for ${kind === "read" ? "reading" : "writing"}`,
  };
}

/** C3. Inside a command only the protected names count: what else a program touches is the sandbox's business. */
export function decideNamedPath({ filesystem }: Policy, request: PathRequest): Decision {
  return protection(filesystem, request) ?? { kind: "allow", rule: "filesystem.unprotected" };
}

/** A file a command seems to name. `sure` is false where the word may as well be a search pattern or text. */
export interface NamedPath {
  readonly request: PathRequest;
  readonly sure: boolean;
}

/** Words that could be file names, read as if below `/`; redirect targets and the arguments of `cp`, `tee`, … as writes. */
export function pathsNamed({ words, redirects }: Part): NamedPath[] {
  const name = baseName(words[0]?.text ?? "");
  const written = redirects.filter(({ operator }) => operator.includes(">")).map(({ target }) => target);
  const read = redirects.filter(({ operator }) => operator === "<").map(({ target }) => target);
  const args = words.slice(1).flatMap((word) => asPaths(word, CHANGERS.has(name) ? "write" : "read"));
  return [
    ...args.map((request) => ({ request, sure: !TEXT_READERS.has(name) })),
    ...written.flatMap((word) => asPaths(word, "write")).map((request) => ({ request, sure: true })),
    ...read.flatMap((word) => asPaths(word, "read")).map((request) => ({ request, sure: true })),
  ];
}

const CHANGERS = new Set(
  "tee cp mv ln install rsync touch rm rmdir mkdir chmod chown patch truncate dd unlink scp".split(" "),
);
const TEXT_READERS = new Set("grep egrep fgrep rg ag sed awk git echo printf find xargs".split(" "));

function protection(
  { deny_patterns, ask_patterns, write_deny_patterns, write_ask_patterns }: Policy["filesystem"],
  { kind, path }: PathRequest,
): Decision | null {
  const denied = [...deny_patterns, ...(kind === "write" ? write_deny_patterns : [])].find((pattern) =>
    protectsPath(pattern, path),
  );
  if (denied !== undefined) return { kind: "deny", rule: `filesystem.deny:${denied}`, reason: `${path} is protected` };
  const asked = [...ask_patterns, ...(kind === "write" ? write_ask_patterns : [])].find((pattern) =>
    protectsPath(pattern, path),
  );
  return asked === undefined
    ? null
    : { kind: "ask", rule: `filesystem.ask:${asked}`, question: `May the operator ${kind} ${path}?` };
}

function isResolved(path: string): boolean {
  return (
    path.startsWith("/") &&
    !path.includes("\0") &&
    (path === "/" ||
      path
        .slice(1)
        .split("/")
        .every((segment) => segment !== "" && segment !== "." && segment !== ".."))
  );
}

/** `--file=x`, `@x` and `if=x` name x too. */
function asPaths({ text }: ShellWord, kind: "read" | "write"): PathRequest[] {
  const names = [text, ...text.split(/[=@:,]/).slice(1)].filter((name) => name !== "" && name.length < 4_000);
  return names.map((name) => ({
    kind,
    path: `/${name
      .split("/")
      .filter((segment) => segment !== "" && segment !== "." && segment !== ".." && segment !== "~")
      .join("/")}`,
  }));
}
