import { execFile } from "node:child_process";
import { readFile, readdir, readlink } from "node:fs/promises";
import type { Lack } from "../driver.ts";
import { findProgram } from "../image/commands.ts";
import { delegatedGroup } from "./cgroup.ts";
import { isFiltered } from "./seccomp.ts";
import type { HostLayout } from "./walls.ts";

/** What this computer gives for namespaces: looked up here, judged by the pure functions below. */

export interface NamespaceFacts {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  /** Program → where it is. */
  readonly programs: Readonly<Record<Program, string | null>>;
  /** What bwrap said when it tried; null when it worked. */
  readonly refusal: string | null;
  /** Kernel switches that forbid namespaces to ordinary users, by name, as they stand. */
  readonly switches: Readonly<Record<keyof typeof SWITCHES, string>>;
  readonly delegated: string | null;
}

export type Program = keyof typeof PROGRAMS;

/** Program → Debian package. */
const PROGRAMS = { bwrap: "bubblewrap", bash: "bash", setpriv: "util-linux", taskset: "util-linux" };

/** Switch → the value that forbids, and the one that allows. */
const SWITCHES = {
  "kernel.unprivileged_userns_clone": ["0", "1"],
  "user.max_user_namespaces": ["0", "15000"],
  "kernel.apparmor_restrict_unprivileged_userns": ["1", "0"],
} as const;

/** It answers in 5 ms. The bound is for a bwrap that hangs, never for a busy computer: a driver said to be missing fails a run. */
const TRIAL_MS = 30_000;

export async function lookAtNamespaces(): Promise<NamespaceFacts> {
  const find = async (name: string): Promise<[string, string | null]> => [name, await findProgram(name)];
  const read = async (name: string): Promise<[string, string]> => {
    return [name, (await readFile(`/proc/sys/${name.replaceAll(".", "/")}`, "utf8").catch(() => "")).trim()];
  };
  const [programs, switches, delegated] = await Promise.all([
    Promise.all(Object.keys(PROGRAMS).map(find)),
    Promise.all(Object.keys(SWITCHES).map(read)),
    delegatedGroup(),
  ]);
  const found = Object.fromEntries(programs) as NamespaceFacts["programs"];
  return {
    platform: process.platform,
    arch: process.arch,
    programs: found,
    switches: Object.fromEntries(switches) as NamespaceFacts["switches"],
    delegated,
    refusal: found.bwrap === null ? null : await tryBwrap(found.bwrap),
  };
}

/** Namespaces are forbidden in more ways than can be looked up, so one is made. */
function tryBwrap(bwrap: string): Promise<string | null> {
  const user = process.getuid?.() === 0 ? [] : ["--unshare-user"];
  const args = [...user, "--unshare-pid", "--unshare-net", "--ro-bind", "/", "/", "--proc", "/proc", "true"];
  return new Promise((resolve) => {
    execFile(bwrap, args, { timeout: TRIAL_MS, killSignal: "SIGKILL" }, (error, _, stderr) => {
      if (error === null) return resolve(null);
      resolve(error.killed ? `no answer within ${TRIAL_MS} ms` : stderr.trim().slice(0, 300) || error.message);
    });
  });
}

export interface Obstacle {
  readonly reason: string;
  readonly fix: string;
}

export function obstacles(facts: NamespaceFacts): readonly Obstacle[] {
  if (facts.platform !== "linux")
    return [{ reason: `${facts.platform} has no namespaces`, fix: "use a driver that runs virtual machines" }];
  if (!isFiltered(facts.arch))
    return [{ reason: `no system call filter for ${facts.arch}`, fix: "use a driver that runs virtual machines" }];
  const missing = Object.entries(PROGRAMS)
    .filter(([name]) => facts.programs[name as Program] === null)
    .map(([name, from]) => ({ reason: `${name} is missing`, fix: `apt-get install -y ${from}` }));
  if (missing.length > 0 || facts.refusal === null) return missing;
  const forbidding = Object.entries(SWITCHES).filter(
    ([name, [forbids]]) => facts.switches[name as keyof typeof SWITCHES] === forbids,
  );
  const reason = `bwrap cannot make namespaces: ${facts.refusal}`;
  if (forbidding.length === 0) return [{ reason, fix: "allow user namespaces to this user or container" }];
  return forbidding.map(([name, [, allows]]) => ({ reason, fix: `sysctl -w ${name}=${allows}` }));
}

export function lacksOf(facts: Pick<NamespaceFacts, "delegated">): readonly Lack[] {
  const snapshot: Lack = { capability: "snapshot", reason: "the processes of a namespace cannot be saved" };
  if (facts.delegated !== null) return [snapshot];
  const reason = "no cgroup with memory and pids is delegated to this user: memory is limited per process";
  return [snapshot, { capability: "memory-sum", reason }];
}

export async function lookAtLayout(): Promise<HostLayout> {
  const [usr, top] = await Promise.all([readdir("/usr"), readdir("/")]);
  const paths = top.filter((name) => /^(bin|sbin|lib\d*|libx?32)$/.test(name)).map((name) => `/${name}`);
  const link = (path: string): Promise<string | null> => readlink(path).catch(() => null);
  return { usr, roots: await Promise.all(paths.map(async (path) => ({ path, link: await link(path) }))) };
}
