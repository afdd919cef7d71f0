/** Runs one workload and prints what it took as one JSON line. Copied beside each peer, so it imports only Node. */
import { readFileSync, readdirSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

export const [workload = "chain", size = "1000"] = process.argv.slice(2);
export const steps = Number(size);

/** CPU of a server process and its children, in ms: /proc counts in 10 ms ticks. */
function serverCpuMs(root: number): number {
  if (!root) return 0;
  const stats = readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
      // utime, stime, and those of children that have ended
      return [
        { pid, parent: fields[1] ?? "", ticks: fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) },
      ];
    } catch {
      return []; // it ended while we looked
    }
  });
  const under = new Set([String(root)]);
  for (let grown = true; grown;) {
    const next = stats.filter(({ pid, parent }) => under.has(parent) && !under.has(pid));
    for (const { pid } of next) under.add(pid);
    grown = next.length > 0;
  }
  return stats.filter(({ pid }) => under.has(pid)).reduce((sum, { ticks }) => sum + ticks * 10, 0);
}

export const folderBytes = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);

/** `run` does all of the workload's steps; `server` is the pid of the database or server that works for it. */
interface Setting {
  readonly server?: number;
  readonly bytes?: () => number;
  readonly total?: number;
}

/** Straight to the file: a stream for one line is 5 ms of a process's start. */
const tell = (line: string): void => void writeSync(1, `${line}\n`);

export async function measure(
  run: () => Promise<unknown>,
  { server = 0, bytes = () => 0, total = steps }: Setting = {},
): Promise<void> {
  const serverBefore = serverCpuMs(server);
  const cpuBefore = process.cpuUsage();
  const startedNs = process.hrtime.bigint();
  await run();
  const wallMs = Number(process.hrtime.bigint() - startedNs) / 1e6;
  const cpu = process.cpuUsage(cpuBefore);
  const cpuMs = (cpu.user + cpu.system) / 1000 + serverCpuMs(server) - serverBefore;
  const rssMb = process.memoryUsage().rss / 2 ** 20;
  tell(JSON.stringify({ wallMs, cpuMs, steps: total, bytes: bytes(), rssMb }));
}
