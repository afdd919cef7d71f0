import { parse } from "unbash";

/** Reads a shell line into the simple commands it could run, wherever they hide: lists, pipes, substitutions, heredocs, functions, `sh -c`.
 *  S1. Every command node of the tree becomes a part: the walk visits all objects, so a node kind we do not know cannot hide one.
 *  S2. Any parse error, also in a nested script, makes the whole line unreadable. */

export interface ShellWord {
  readonly text: string;
  /** Contains an expansion, so `text` is not what will run. */
  readonly dynamic: boolean;
}

export type Feed = "nothing" | "text" | "stream";

export interface Part {
  /** The command as written, for people. */
  readonly text: string;
  readonly words: readonly ShellWord[];
  /** Names of assignments before the command. */
  readonly assigns: readonly string[];
  readonly redirects: readonly { readonly operator: string; readonly target: ShellWord }[];
  /** Where standard input comes from: `text` is a heredoc, which can be read here; a `stream` cannot. */
  readonly fed: Feed;
  /** Behind `sudo`, `env`, `xargs`, …: the words may hold a second command. */
  readonly wrapped: boolean;
}

export type Shell =
  | { readonly kind: "parts"; readonly parts: readonly Part[] }
  | { readonly kind: "unreadable"; readonly reason: string };

const MAX_LENGTH = 20_000;
const MAX_PARTS = 200;
const MAX_WRAPPED_WORDS = 300;
const MAX_DEPTH = 5;

export function readShell(source: string, depth = 0): Shell {
  if (depth > MAX_DEPTH) return { kind: "unreadable", reason: "shells nested too deeply" };
  if (source.length > MAX_LENGTH) return { kind: "unreadable", reason: `more than ${MAX_LENGTH} characters` };
  if (/\p{Cc}/u.test(source.replaceAll(/[\n\t]/g, ""))) return { kind: "unreadable", reason: "control characters" };
  try {
    // unbash computes `parts` lazily; its toJSON is what makes them visible to a walk.
    const tree = JSON.parse(JSON.stringify(parse(source))) as Tree;
    const found: Found = { parts: [], problems: [], source };
    walk(tree, "nothing", found);
    if (found.problems[0] !== undefined) return { kind: "unreadable", reason: found.problems[0] };
    if (found.parts.length > MAX_PARTS) return { kind: "unreadable", reason: `more than ${MAX_PARTS} commands` };
    if (found.parts.some((part) => part.wrapped && part.words.length > MAX_WRAPPED_WORDS))
      return { kind: "unreadable", reason: "too many words behind a wrapper" };
    return withInnerShells(found.parts, depth);
  } catch {
    return { kind: "unreadable", reason: "the parser gave up" };
  }
}

const WRAPPERS = new Set(
  "sudo doas env nohup nice ionice timeout time stdbuf setsid xargs command builtin exec busybox toybox watch unshare nsenter chroot flock parallel find script strace ltrace gdb unbuffer setarch taskset chrt proot runuser su setpriv npx bunx pnpx".split(
    " ",
  ),
);
const SHELLS = new Set(["sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "mksh"]);

export function isShellName(word: string): boolean {
  return SHELLS.has(baseName(word));
}

export function baseName(word: string): string {
  return word.split("/").at(-1) ?? "";
}

/** A wrapper may start any of the later words: every tail is a candidate, so no table of options has to be right. */
export function candidates(part: Part): readonly (readonly ShellWord[])[] {
  return part.wrapped ? part.words.map((_word, index) => part.words.slice(index)) : [part.words];
}

interface Tree {
  readonly [key: string]: unknown;
}
interface Found {
  readonly parts: Part[];
  readonly problems: string[];
  readonly source: string;
}

const DYNAMIC = new Set([
  "SimpleExpansion",
  "ParameterExpansion",
  "CommandExpansion",
  "ArithmeticExpansion",
  "ProcessSubstitution",
  "BraceExpansion",
  "ExtendedGlob",
  "LocaleString",
]);

/** S1 */
function walk(value: unknown, fed: Feed, found: Found): void {
  if (Array.isArray(value)) for (const item of value) walk(item, fed, found);
  if (!isTree(value)) return;
  const errors = value["errors"];
  if (Array.isArray(errors) && errors.length > 0)
    found.problems.push(isTree(errors[0]) ? String(errors[0]["message"]) : "syntax error");
  if ((value["type"] === "CommandExpansion" || value["type"] === "ProcessSubstitution") && !value["script"])
    found.problems.push("an unreadable substitution");
  if (value["type"] === "Command") found.parts.push(toPart(value, fed, found.source));
  const piped = value["type"] === "Pipeline" && Array.isArray(value["commands"]) ? value["commands"] : [];
  for (const [index, command] of piped.entries()) walk(command, index > 0 ? "stream" : fed, found);
  for (const [key, inner] of Object.entries(value)) {
    if (!(key === "commands" && piped.length > 0)) walk(inner, feeds(value, fed), found);
  }
}

function feeds(node: Tree, outer: Feed): Feed {
  const inputs = (Array.isArray(node["redirects"]) ? node["redirects"] : [])
    .filter(isTree)
    .map((redirect) => String(redirect["operator"]))
    .filter((operator) => operator.startsWith("<"));
  const last = inputs.at(-1);
  return last === undefined ? outer : last.startsWith("<<") ? "text" : "stream";
}

function toPart(node: Tree, fed: Feed, source: string): Part {
  const list = (key: string): Tree[] => (Array.isArray(node[key]) ? node[key].filter(isTree) : []);
  const words = [...(isTree(node["name"]) ? [node["name"]] : []), ...list("suffix")].map(toWord);
  return {
    text: source.slice(Number(node["pos"]), Number(node["end"])) || words.map((word) => word.text).join(" "),
    words,
    assigns: list("prefix").map((assign) => String(assign["name"] ?? assign["text"])),
    redirects: list("redirects").flatMap((redirect) =>
      isTree(redirect["target"])
        ? [{ operator: String(redirect["operator"]), target: toWord(redirect["target"]) }]
        : [],
    ),
    fed: feeds(node, fed),
    wrapped: WRAPPERS.has(baseName(words[0]?.text ?? "")),
  };
}

function toWord(node: Tree): ShellWord {
  return { text: String(node["value"] ?? node["text"] ?? ""), dynamic: holdsExpansion(node["parts"]) };
}

function holdsExpansion(parts: unknown): boolean {
  return (
    Array.isArray(parts) &&
    parts.some((part) => isTree(part) && (DYNAMIC.has(String(part["type"])) || holdsExpansion(part["parts"])))
  );
}

/** `sh -c '…'` and `eval '…'` with literal text are read as shell again; with an expansion they stay as they are (see hazards.ts). */
function withInnerShells(parts: readonly Part[], depth: number): Shell {
  const all: Part[] = [];
  for (const part of parts) {
    all.push(part);
    for (const script of candidates(part).flatMap(innerScript)) {
      const inner = readShell(script, depth + 1);
      if (inner.kind === "unreadable") return inner;
      all.push(...inner.parts);
    }
  }
  return { kind: "parts", parts: all };
}

function innerScript(words: readonly ShellWord[]): string[] {
  const [head, ...rest] = words;
  if (!head || rest.some((word) => word.dynamic)) return [];
  if (baseName(head.text) === "eval") return [rest.map((word) => word.text).join(" ")];
  const flag = rest.findIndex((word) => /^-[a-zA-Z]*c[a-zA-Z]*$/.test(word.text));
  const takesScript = isShellName(head.text) || baseName(head.text) === "su" || baseName(head.text) === "script";
  const script = takesScript && flag >= 0 ? rest.slice(flag + 1).find((word) => !/^[-+]/.test(word.text)) : undefined;
  return script ? [script.text] : [];
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
