import { readdirSync, readFileSync } from "node:fs";
import { freemem, loadavg } from "node:os";
import type { AgentResult } from "../channel/messages.ts";

/** Of a machine with its own kernel. */
export function machineStats(): AgentResult {
  const memory = readFileSync("/proc/meminfo", "utf8");
  const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(memory)?.[1] ?? 0);
  const [load1, , , tasks = "0/0"] = readFileSync("/proc/loadavg", "utf8").split(" ");
  return {
    kind: "stats",
    uptimeMs: Math.round(Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1000),
    memTotalBytes: kib("MemTotal") * 1024,
    memAvailableBytes: kib("MemAvailable") * 1024,
    load1: Number(load1),
    processes: Number(tasks.split("/")[1]),
  };
}

/** Of a guest on the host's kernel: uptime and processes are its own, load and free memory the host's. */
export function guestStats(memoryBytes: number): AgentResult {
  return {
    kind: "stats",
    uptimeMs: Math.round(process.uptime() * 1000),
    memTotalBytes: memoryBytes,
    memAvailableBytes: Math.min(memoryBytes, freemem()),
    load1: loadavg()[0] ?? 0,
    processes: processes(),
  };
}

/** 1, this agent, where there is no /proc. */
function processes(): number {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 1;
    throw error;
  }
}
