import { join } from "node:path";

/** The command line of a namespace guest.
 *  N1. It sees its own processes, an empty network with only `lo`, and of the host's files: /usr without /usr/local, the few of
 *      /etc that programs need, our Node and the agent. All of that read-only.
 *  N2. What it writes lies in memory and ends with it; every writable place has a size.
 *  N3. It has no capability and cannot get one, and never the host's root: under root it runs as a user id nobody has.
 *  N4. It dies with the host process, also when that one is killed without a chance to clean up.
 *  N5. No descriptor of the host but its two lines comes in. */

export interface HostLayout {
  /** `/bin` and its like: linked into /usr, or folders of their own. */
  readonly roots: readonly { readonly path: string; readonly link: string | null }[];
  /** What is in /usr. */
  readonly usr: readonly string[];
}

export interface Walls {
  readonly bwrap: string;
  readonly layout: HostLayout;
  readonly nodeBinary: string;
  readonly agentFile: string;
  /** Holds `passwd`, `group`, `hosts`, `hostname`, `machine-id` and `resolv.conf` of this guest. */
  readonly etcFolder: string;
  readonly hostname: string;
  readonly memoryMb: number;
  /** The guest's commands run on these; it cannot leave them. */
  readonly cpus: readonly number[];
  readonly user: GuestUser;
}

/** Who the guest is outside: whoever runs us, or, when that is root, an id that owns nothing. */
export type GuestUser = { readonly kind: "own" } | { readonly kind: "nobody-else"; readonly id: number };

/** Above what systemd gives to services and containers, below 2^31. */
const FIRST_FREE_ID = 1_900_000_000;

/** `uidMap` is /proc/self/uid_map: a rootless container has no such ids, and root there is nobody's root outside. */
export function guestUser(uid: number, uidMap: string, nth: number): GuestUser {
  const id = FIRST_FREE_ID + (nth % 100_000_000);
  const mapped = uidMap.split("\n").some((line) => {
    const [first = 0, , count = 0] = line.trim().split(/\s+/).map(Number);
    return id >= first && id < first + count;
  });
  return uid === 0 && mapped ? { kind: "nobody-else", id } : { kind: "own" };
}

/** Not the whole of `ssl`: a group of the user may read its private keys. */
const ETC_OF_HOST = [
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "alternatives",
  "ssl/certs",
  "ssl/openssl.cnf",
  "ca-certificates",
  "localtime",
];
const ETC_OF_GUEST = ["passwd", "group", "hosts", "hostname", "machine-id", "resolv.conf"] as const;
/** Writable folder → its part of the memory. */
const WRITABLE = { "/workspace": 0.75, "/tmp": 0.5, "/root": 0.25, "/var/tmp": 0.1, "/run": 0.1, "/dev/shm": 0.1 };
export const MAX_PROCESSES = 1_024;
/** A Node process reserves this for code it may compile; it counts although nothing is used. */
const RESERVED_MB = 512;
const MAX_FILES = 16_384;

/** Descriptors: 3 and 4 the lines, 5 the filter, which bwrap reads and closes. */
const FILTER_FD = 5;
const LAST_FD = 4;

export function wallsArgv(walls: Walls): string[] {
  const { bwrap, layout, user, hostname, cpus } = walls;
  const privileges =
    user.kind === "own"
      ? ["--unshare-user", "--cap-drop", "ALL"]
      : [
          "--cap-drop",
          "ALL",
          ...["CHOWN", "SETUID", "SETGID", "SETPCAP"].flatMap((name) => ["--cap-add", `CAP_${name}`]),
        ];
  return [
    ["taskset", "-c", cpus.join(",")], // Outside: the filter refuses the call.
    [bwrap, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try", ...privileges],
    ["--die-with-parent", "--new-session", "--clearenv", "--hostname", hostname], // N4
    layout.usr.filter((name) => name !== "local").flatMap((name) => ["--ro-bind", `/usr/${name}`, `/usr/${name}`]),
    layout.roots.flatMap(({ path, link }) => (link === null ? ["--ro-bind", path, path] : ["--symlink", link, path])),
    ["--ro-bind", walls.nodeBinary, "/usr/local/bin/node", "--dir", "/etc", "--dir", "/etc/ssl"],
    ETC_OF_HOST.flatMap((name) => ["--ro-bind-try", `/etc/${name}`, `/etc/${name}`]),
    ETC_OF_GUEST.flatMap((name) => ["--ro-bind", join(walls.etcFolder, name), `/etc/${name}`]),
    ["--proc", "/proc", "--dev", "/dev", "--dir", "/dev/shm", "--dir", "/var"],
    Object.entries(WRITABLE).flatMap(([path, part]) => tmpfs(path, walls.memoryMb * part)), // N2
    ["--ro-bind", walls.agentFile, AGENT],
    ["/", "/etc", "/etc/ssl", "/usr", "/usr/local", "/usr/local/bin", "/var", "/run/th"].flatMap((path) => [
      "--chmod",
      "0755",
      path,
    ]),
    ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/", "--seccomp", String(FILTER_FD), "--"],
    insideArgv(walls),
  ].flat();
}

const AGENT = "/run/th/guest.mjs";

function tmpfs(path: string, sizeMb: number): string[] {
  return ["--perms", "1777", "--size", String(Math.ceil(sizeMb * 1024 * 1024)), "--tmpfs", path];
}

/** From bwrap to the agent: close what leaked in, set the limits, then become who we stay. */
function insideArgv({ user, memoryMb }: Walls): string[] {
  const owner = user.kind === "own" ? [] : [`chown ${user.id}:${user.id} /workspace /root`];
  const script = [
    ...owner,
    `for fd in /proc/self/fd/*; do fd=\${fd##*/}; [ "$fd" -gt ${LAST_FD} ] && eval "exec $fd>&-"; done`, // N5
    `ulimit -c 0 && ulimit -n ${MAX_FILES} && ulimit -u ${MAX_PROCESSES} && ulimit -d ${(memoryMb + RESERVED_MB) * 1024} && exec "$@"`,
  ];
  const become = ["setpriv", "--clear-groups", "--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs"];
  return [
    ["bash", "-c", script.join("\n"), "walls"],
    user.kind === "own" ? [] : [...become, "--reuid", String(user.id), "--regid", String(user.id)], // N3
    ["/usr/local/bin/node", "--max-semi-space-size=1", AGENT, "3128", String(memoryMb)],
  ].flat();
}

/** The guest's own /etc. */
type EtcFiles = Readonly<Record<(typeof ETC_OF_GUEST)[number], string>>;

export function etcFiles(hostname: string, uid: number, machineId: string): EtcFiles {
  const users = [`root:x:0:0:root:/root:/bin/bash`, `operator:x:${uid}:${uid}:operator:/root:/bin/bash`];
  return {
    passwd: `${users.join("\n")}\n`,
    group: `root:x:0:\noperator:x:${uid}:\n`,
    hosts: `127.0.0.1 localhost ${hostname}\n`,
    hostname: `${hostname}\n`,
    "machine-id": `${machineId}\n`,
    "resolv.conf": "nameserver 127.0.0.1\n",
  };
}
