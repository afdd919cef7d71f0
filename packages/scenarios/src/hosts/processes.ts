import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from "node:fs";

/** What runs on this machine, read from /proc. */

export interface Running {
  readonly pid: number;
  readonly name: string;
  /** Command line and environment, as one text. */
  readonly visible: string;
}

export function descendantsOf(root: number): Running[] {
  const parents = readdirSync("/proc").flatMap((name) => {
    const stat = /^\d+$/.test(name) ? read(`/proc/${name}/stat`) : "";
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    return stat === "" ? [] : [{ pid: Number(name), parent }];
  });
  const below = (pid: number): number[] =>
    parents.filter(({ parent }) => parent === pid).flatMap((child) => [child.pid, ...below(child.pid)]);
  return below(root).map((pid) => ({
    pid,
    name: read(`/proc/${pid}/comm`).trim(),
    visible: read(`/proc/${pid}/cmdline`) + read(`/proc/${pid}/environ`),
  }));
}

/** Where these processes can be spoken to over the network, as `address` or `[address]` in hex, as the kernel writes it. */
export function listeningAddresses(pids: readonly number[]): { readonly pid: number; readonly address: string }[] {
  const LISTEN = "0A";
  const open = ["tcp", "tcp6", "udp", "udp6"].flatMap((table) =>
    read(`/proc/net/${table}`)
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state]) => table.startsWith("udp") || state === LISTEN)
      .map(([, local = "", , , , , , , , inode]) => ({ address: local.split(":")[0] ?? "", inode })),
  );
  return pids.flatMap((pid) => {
    const held = new Set(descriptorsOf(pid));
    return open.filter(({ inode }) => held.has(`socket:[${inode}]`)).map(({ address }) => ({ pid, address }));
  });
}

/** 127.0.0.0/8, ::1 and ::ffff:127.0.0.0/104, as the kernel writes them on a little-endian machine. */
export const isLoopback = (address: string): boolean =>
  /^(?:[0-9A-F]{6}7F|0{24}01000000|0{16}FFFF0000[0-9A-F]{6}7F)$/.test(address);

function descriptorsOf(pid: number): string[] {
  const dir = `/proc/${pid}/fd`;
  try {
    return readdirSync(dir).flatMap((fd) => {
      try {
        return [readlinkSync(`${dir}/${fd}`)];
      } catch {
        return []; // It was closed meanwhile.
      }
    });
  } catch {
    return []; // It ended meanwhile.
  }
}

export const isQemu = ({ name }: Running): boolean => name.startsWith("qemu");

export const isRunning = (pid: number): boolean => {
  const stat = read(`/proc/${pid}/stat`);
  return stat !== "" && !/^ [ZX]/.test(stat.slice(stat.lastIndexOf(")") + 1));
};

const CHUNK = 8 * 1024 * 1024;

/** How often each needle occurs in a process's memory: for a QEMU that is the whole machine, its guest's RAM included. */
export function searchMemory(pid: number, needles: readonly string[]): number[] {
  const regions = read(`/proc/${pid}/maps`)
    .split("\n")
    .flatMap((line) => {
      const [, from = "", to = "", rights = ""] = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(line) ?? [];
      return rights.startsWith("rw") ? [{ from: Number.parseInt(from, 16), to: Number.parseInt(to, 16) }] : [];
    });
  const memory = openSync(`/proc/${pid}/mem`, "r");
  const buffer = Buffer.alloc(CHUNK);
  const overlap = Math.max(...needles.map(({ length }) => length)) - 1;
  const found = needles.map(() => 0);
  for (const { from, to } of regions)
    for (let at = from; at < to; at += CHUNK - overlap) {
      const length = readSome(memory, buffer, { at, length: Math.min(CHUNK, to - at) });
      needles.forEach((needle, index) => {
        found[index] = (found[index] ?? 0) + count(buffer.subarray(0, length), needle);
      });
    }
  closeSync(memory);
  return found;
}

function readSome(
  file: number,
  into: Buffer,
  { at, length }: { readonly at: number; readonly length: number },
): number {
  try {
    return readSync(file, into, 0, length, at);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EIO") return 0; // The kernel's own pages.
    throw error;
  }
}

export function count(bytes: Buffer, needle: string): number {
  let found = 0;
  for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) found += 1;
  return found;
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return ""; // It ended meanwhile.
    throw error;
  }
}
