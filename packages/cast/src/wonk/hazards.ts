import { baseName, candidates, isShellName, type Part, type ShellWord } from "./shell.ts";

/** Forms that no rule may allow by itself: a person looks first, or nobody may.
 *  Z1. An argument we cannot see (an expansion) is taken for the worst one. */

export interface Hazard {
  readonly name: "catastrophe" | "destructive" | "env-dump" | "pipe-to-shell" | "hidden-command" | "publish";
  readonly verdict: "deny" | "ask";
  readonly why: string;
}

export function hazardOf(part: Part): Hazard | null {
  const first = part.words[0];
  if (!first) return null;
  const found = candidates(part).flatMap((words) => inspect(words, part));
  if (isHidden(first)) found.push(HIDDEN);
  if (
    part.redirects.some(
      ({ operator, target }) =>
        operator.includes(">") && /^\/dev\/(?!null$|stdout$|stderr$|tty$|fd\/)/.test(target.text),
    )
  )
    found.push(CATASTROPHE);
  return found.find((hazard) => hazard.verdict === "deny") ?? found[0] ?? null;
}

const CATASTROPHE: Hazard = {
  name: "catastrophe",
  verdict: "deny",
  why: "this would destroy a whole disk, home or system",
};
const DESTRUCTIVE: Hazard = {
  name: "destructive",
  verdict: "ask",
  why: "this destroys data or history that may not come back",
};
const ENV_DUMP: Hazard = { name: "env-dump", verdict: "ask", why: "this prints the environment, where secrets live" };
const PIPE_TO_SHELL: Hazard = {
  name: "pipe-to-shell",
  verdict: "ask",
  why: "this runs text that nobody has read as a program",
};
const HIDDEN: Hazard = { name: "hidden-command", verdict: "ask", why: "what runs is only known when it runs" };
const PUBLISH: Hazard = { name: "publish", verdict: "ask", why: "this publishes something to other people" };

const ALWAYS: Readonly<Record<string, Hazard>> = {
  ...Object.fromEntries(
    "fdisk parted wipefs mkswap shutdown reboot halt poweroff blkdiscard sgdisk insmod modprobe kexec"
      .split(" ")
      .map((name) => [name, CATASTROPHE]),
  ),
  ...Object.fromEntries(
    "shred truncate crontab at chattr iptables nft mount umount userdel usermod passwd visudo"
      .split(" ")
      .map((name) => [name, DESTRUCTIVE]),
  ),
  printenv: ENV_DUMP,
};
const BARE_DUMPS = new Set(["env", "set", "export", "declare", "typeset", "readonly"]);
const INTERPRETERS = /^(?:python[\d.]*|node|nodejs|deno|bun|tsx|perl|ruby|php|lua|osascript|pwsh|tclsh|R|Rscript)$/;

function inspect(words: readonly ShellWord[], part: Part): Hazard[] {
  const [head, ...args] = words;
  const name = baseName(head?.text ?? "");
  const always = name.startsWith("mkfs") ? CATASTROPHE : Object.hasOwn(ALWAYS, name) ? ALWAYS[name] : undefined;
  const special = JUDGES[name]?.(args, part) ?? null;
  const stdin = readsProgram(name, args, part) ? PIPE_TO_SHELL : null;
  const dump = dumpsEnvironment(name, args) ? ENV_DUMP : null;
  return [always, special, stdin, dump].filter((hazard) => hazard !== null && hazard !== undefined);
}

const JUDGES: Readonly<Record<string, (args: readonly ShellWord[], part: Part) => Hazard | null>> = {
  rm: removes,
  rmdir: () => null,
  unlink: (args) => (args.some(isOutside) ? DESTRUCTIVE : null),
  dd: (args) =>
    args.some(({ text, dynamic }) => text.startsWith("of=/dev/") || (dynamic && text.startsWith("of=")))
      ? CATASTROPHE
      : null,
  mv: (args) => (args.some(({ text }) => text === "/" || text === "/dev/null" || isHome(text)) ? DESTRUCTIVE : null),
  chmod: (args) => (isRecursive(args) && args.some(isOutside) ? DESTRUCTIVE : null),
  chown: (args) => (isRecursive(args) && args.some(isOutside) ? DESTRUCTIVE : null),
  find: (args) =>
    args.some(({ text }) => text === "-delete" || text === "-fprint" || text === "-fprintf") ? DESTRUCTIVE : null,
  kill: (args) => (args.some(({ text }) => text === "-1" || text === "0" || text === "1") ? DESTRUCTIVE : null),
  killall: () => DESTRUCTIVE,
  pkill: () => DESTRUCTIVE,
  git: judgeGit,
  npm: publishes,
  pnpm: publishes,
  yarn: publishes,
  bun: publishes,
  cargo: publishes,
  twine: publishes,
  gem: publishes,
  docker: publishes,
  podman: publishes,
  gh: publishes,
  vsce: publishes,
  eval: (args) => (args.some(({ dynamic }) => dynamic) ? HIDDEN : null),
  source: runsUnseen,
  ".": runsUnseen,
  history: () => ENV_DUMP,
};

function removes(args: readonly ShellWord[]): Hazard | null {
  const targets = args.filter(({ text }) => !text.startsWith("-"));
  if (!isRecursive(args)) return targets.some(isOutside) ? DESTRUCTIVE : null;
  if (
    args.some(({ text }) => text === "--no-preserve-root") ||
    targets.some(
      ({ text }) =>
        /^\/+[*.]*$/.test(text) ||
        isHome(text) ||
        /^\/(?:bin|boot|dev|etc|home|lib|opt|proc|root|sbin|sys|usr|var)\/?\*?$/.test(text),
    )
  )
    return CATASTROPHE;
  const wide = targets.some(
    (word) => isOutside(word) || /^(?:\.\/?)?[*?.]*$/.test(word.text) || /(?:^|\/)\.git(?:\/|$)/.test(word.text),
  );
  return wide || targets.length === 0 ? DESTRUCTIVE : null;
}

function judgeGit(args: readonly ShellWord[]): Hazard | null {
  const words = args.map(({ text }) => text);
  const has = (...wanted: string[]): boolean => wanted.some((word) => words.includes(word));
  if (has("push", "send-email", "send-pack"))
    return has("--force", "-f", "--delete", "-d", "--mirror", "--prune") ||
      words.some((word) => /^(?:--force|\+|:)/.test(word))
      ? DESTRUCTIVE
      : PUBLISH;
  if (has("clean") && words.some((word) => /^-[a-z]*f/i.test(word) || word === "--force")) return DESTRUCTIVE;
  if (has("reset") && has("--hard")) return DESTRUCTIVE;
  if (has("filter-branch", "filter-repo", "update-ref", "gc", "prune", "reflog")) return DESTRUCTIVE;
  // Configuration can make a later, innocent git command run a program.
  const sets = words.some((word) =>
    /^(?:-c|--config-env|--exec-path|--upload-pack|--receive-pack|--exec)(?:=|$)/.test(word),
  );
  const harmless = has("--get", "--get-all", "--list", "-l", "user.name", "user.email");
  return sets || has("daemon", "bisect") || (has("config") && !harmless) ? HIDDEN : null;
}

function publishes(args: readonly ShellWord[]): Hazard | null {
  return args.some(({ text }) =>
    ["publish", "unpublish", "push", "upload", "yank", "login", "token", "release", "deprecate"].includes(text),
  )
    ? PUBLISH
    : null;
}

function runsUnseen(args: readonly ShellWord[]): Hazard | null {
  return args.some(({ text, dynamic }) => dynamic || /^\/(?:dev|proc)\//.test(text) || text === "-")
    ? PIPE_TO_SHELL
    : null;
}

/** A shell or interpreter whose program arrives on standard input, from a substitution, or from an unseen string. */
function readsProgram(name: string, args: readonly ShellWord[], part: Part): boolean {
  if (!isShellName(name) && !INTERPRETERS.test(name)) return false;
  const files = args.filter(({ text }) => text === "-" || !/^[-+]/.test(text));
  const fromStdin = files.length === 0 || /^(?:-|\/dev\/stdin)$/.test(files[0]?.text ?? "");
  const inline = args.some(({ text }) => /^(?:-[a-zA-Z]*[ceprE]|--eval|--print)$/.test(text));
  if (args.some(({ text, dynamic }) => dynamic && /[<$]\(|`/.test(text))) return true;
  if (isShellName(name)) {
    const reads = fromStdin || args.some(({ text }) => /^-[a-z]*s[a-z]*$/.test(text));
    return inline
      ? files.length === 0 || args.some(({ dynamic }) => dynamic)
      : reads && (part.fed !== "nothing" || part.wrapped);
  }
  return !inline && fromStdin && part.fed === "stream";
}

function dumpsEnvironment(name: string, args: readonly ShellWord[]): boolean {
  if (args.some(({ text }) => /^\/proc\/(?:[^/]+|\*)\/(?:environ|mem|maps)$/.test(text))) return true;
  if (name === "compgen") return args.some(({ text }) => /[ev]/.test(text));
  if (!BARE_DUMPS.has(name)) return false;
  if (name === "set") return args.length === 0;
  return name === "env"
    ? args.every(({ text }) => text.startsWith("-") || text.includes("="))
    : args.every(({ text }) => /^-[pxfg]*$/.test(text));
}

function isHidden(first: ShellWord): boolean {
  return first.dynamic || (/[*?[{]/.test(first.text) && first.text !== "[" && first.text !== "[[");
}

function isRecursive(args: readonly ShellWord[]): boolean {
  return args.some(({ text, dynamic }) => dynamic || text === "--recursive" || /^-[a-z]*r/i.test(text));
}

/** Z1 */
function isOutside({ text, dynamic }: ShellWord): boolean {
  if (text.startsWith("-")) return false;
  return (
    dynamic ||
    text.includes("{}") ||
    (text.startsWith("/") && !text.startsWith("/tmp/")) ||
    text.startsWith("~") ||
    text.split("/").includes("..")
  );
}

function isHome(text: string): boolean {
  return /^(?:~[a-z]*|\$HOME|\$\{HOME\})\/?[*.]*$/.test(text);
}
