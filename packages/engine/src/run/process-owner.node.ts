/** This process as an owner, and whether another process of this machine still lives. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import process from "node:process";
import type { Owner } from "../store/port.ts";

/** Linux says when a process started and when the machine booted; elsewhere the pid alone has to do. */
const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return ""; // no such file means: no such process, or not Linux
  }
};

export const bootId = (): string => read("/proc/sys/kernel/random/boot_id");
/** Field 22 of stat; the command in field 2 may hold spaces, so count after its closing parenthesis. */
export const startedAt = (pid: number): string => read(`/proc/${pid}/stat`).split(") ").at(-1)?.split(" ")[19] ?? "";

export const processOwner = (): Owner => ({
  host: hostname(),
  boot: bootId(),
  pid: process.pid,
  pidStartedAt: startedAt(process.pid),
});

export function isOwnerAlive({ boot, pid, pidStartedAt }: Owner): boolean {
  if (boot !== bootId()) return false;
  if (pidStartedAt !== "") return startedAt(pid) === pidStartedAt;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
