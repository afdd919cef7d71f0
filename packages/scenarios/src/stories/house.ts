import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** `npm start` as a story sees it: the process a person would start, in folders of its own, on free ports. */

export const ROOT = join(import.meta.dirname, "../../../..");
export const OWNER = "ada@example.com";

export interface RunningHouse {
  readonly dir: string;
  readonly home: string;
  /** Printed by the start: signs the owner in, once. */
  readonly signInUrl: string;
  readonly webUrl: string;
  readonly tunnelUrl: string;
  /** The newest letter in the outbox of sign-in links. */
  newestLetter(): string | undefined;
  /** Kills the host without a word; the house does not notice. */
  hostPid(): number;
  stop(): Promise<number | null>;
}

export async function startHouse(): Promise<RunningHouse> {
  const dir = mkdtempSync(join(tmpdir(), "smooth-story-"));
  const home = join(dir, "home");
  const child = spawn(process.execPath, [join(ROOT, "scripts/start.ts")], {
    cwd: ROOT,
    env: {
      ...process.env,
      SMOOTH_DATA: join(dir, "data"),
      SMOOTH_HOME: home,
      SMOOTH_OWNER: OWNER,
      PORT: "0",
      SMOOTH_PORT: "0",
      SMOOTH_RENDEZVOUS_PORT: "0",
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const { signInUrl, tunnelUrl } = await readLinks(child, dir);
  const outbox = join(dir, "data", "outbox");
  return {
    dir,
    home,
    signInUrl,
    webUrl: new URL(signInUrl).origin,
    tunnelUrl,
    newestLetter() {
      const newest = existsSync(outbox) ? readdirSync(outbox).toSorted().at(-1) : undefined;
      return newest && (JSON.parse(readFileSync(join(outbox, newest), "utf8")) as { url: string }).url;
    },
    hostPid: () => (JSON.parse(readFileSync(join(home, "host.json"), "utf8")) as { pid: number }).pid,
    async stop() {
      const gone = once(child, "exit");
      child.kill("SIGINT");
      const [code] = (await gone) as [number | null];
      rmSync(dir, { recursive: true, force: true });
      return code;
    },
  };
}

async function readLinks(child: ChildProcess, dir: string): Promise<{ signInUrl: string; tunnelUrl: string }> {
  let signInUrl = "";
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    lines.push(line);
    const [url] = /http:\/\/\S+/.exec(line) ?? [];
    if (url?.includes("/sign-in?token=")) signInUrl = url;
    if (url?.includes(".th.localhost:")) return { signInUrl, tunnelUrl: url };
  }
  throw new Error(`the house in ${dir} printed no tunnel URL:\n${lines.join("\n")}`);
}
