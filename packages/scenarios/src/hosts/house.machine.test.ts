import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { eventually } from "../patience.ts";
import { ROOT } from "../workspaces.ts";
import { descendantsOf, isLoopback, isRunning, listeningAddresses, type Running } from "./processes.ts";

/** `npm start` as one thing: what it opens, and that it ends as one thing too. */

const dir = mkdtempSync(join(tmpdir(), "smooth-house-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Started {
  readonly npm: number;
  /** Everything npm started, and what that started. */
  readonly all: readonly Running[];
  readonly ended: Promise<unknown>;
}

/** Resolves when the sign-in link is printed and the tunnel is up. */
async function npmStart(): Promise<Started> {
  const ports = { PORT: "0", SMOOTH_PORT: "0", SMOOTH_RENDEZVOUS_PORT: "0" };
  const places = { SMOOTH_DATA: join(dir, "data"), SMOOTH_HOME: join(dir, "home") };
  const npm = spawn("npm", ["start"], {
    cwd: ROOT,
    env: { ...process.env, ...ports, ...places },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const pid = npm.pid ?? 0;
  onTestFinished(() => void npm.kill("SIGKILL"));
  const ended = once(npm, "exit");
  const lines: string[] = [];
  for await (const line of createInterface({ input: npm.stdout })) {
    lines.push(line);
    if (line.includes("Ctrl-C stops everything")) return { npm: pid, all: descendantsOf(pid), ended };
  }
  throw new Error(`npm start ended:\n${lines.join("\n")}`);
}

const parts = (all: readonly Running[]): string[] =>
  ["postgres", "workerd", "next-server", "th.mjs", "start.ts", "warden.ts"].filter((part) =>
    all.some(({ name, visible }) => name.startsWith(part) || visible.split("\0").join(" ").includes(part)),
  );
const alive = (all: readonly Running[]): string[] =>
  all.filter(({ pid }) => isRunning(pid)).map(({ pid, name }) => `${name} ${pid}`);

test("W1: nothing of the house listens beyond loopback; Ctrl-C ends all of it", async () => {
  const { npm, all, ended } = await npmStart();

  const open = listeningAddresses(all.map(({ pid }) => pid));
  expect(parts(all)).toEqual(["postgres", "workerd", "next-server", "th.mjs", "start.ts", "warden.ts"]);
  expect(new Set(open.map(({ pid }) => pid)).size).toBeGreaterThanOrEqual(4); // web, host, rendezvous, database
  expect(open.filter(({ address }) => !isLoopback(address))).toEqual([]);

  process.kill(npm, "SIGINT");
  await ended;
  await eventually(() => expect(alive(all)).toEqual([]));
});

test.each(["npm", "start.ts"])("W2: when %s is killed without a word, all of the house ends", async (victim) => {
  const { npm, all } = await npmStart();
  const start = all.find(({ visible }) => visible.includes("scripts/start.ts"))?.pid ?? 0;

  process.kill(victim === "npm" ? npm : start, "SIGKILL");

  await eventually(() => expect(alive(all)).toEqual([]));
});
