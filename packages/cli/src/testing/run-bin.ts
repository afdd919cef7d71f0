import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { writeHostFile } from "../host-file.ts";
import { serveFakeHost, type FakeHost } from "./fake-host.ts";

/** The real programs as processes. */

export const BIN = {
  th: fileURLToPath(new URL("../../../../apps/agent-host/src/bin/th.mjs", import.meta.url)),
  smithers: fileURLToPath(new URL("../../../../apps/agent-host/src/bin/smithers.mjs", import.meta.url)),
  fakeTh: fileURLToPath(import.meta.resolve("./fake-th.ts")),
} as const;

/** Shared by all tests, so that only the first process compiles. */
const compiled = join(tmpdir(), "smooth-test-compile-cache");

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Bench {
  readonly host: FakeHost;
  readonly home: string;
  readonly th: (args: readonly string[], stdin?: string) => Promise<Ended>;
  readonly smithers: (args: readonly string[]) => Promise<Ended>;
}

/** A home with a running host in it. */
export async function bench(): Promise<Bench> {
  const host = await serveFakeHost();
  onTestFinished(() => host[Symbol.asyncDispose]());
  const home = emptyHome();
  writeHostFile(home, { url: host.gateway.url, token: host.gateway.token, pid: process.pid });
  return {
    host,
    home,
    th: (args, stdin) => ended(start(BIN.th, args, { home, ...(stdin !== undefined && { stdin }) })),
    smithers: (args) => ended(start(BIN.smithers, args, { home })),
  };
}

export function emptyHome(): string {
  const home = mkdtempSync(join(tmpdir(), "smooth-home-"));
  onTestFinished(() => rmSync(home, { recursive: true }));
  return home;
}

interface World {
  readonly home: string;
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export function start(bin: string, args: readonly string[], { home, stdin = "", env = {} }: World): ChildProcess {
  const { PATH = "" } = process.env;
  const child = spawn(process.execPath, [bin, ...args], {
    env: { PATH, SMOOTH_HOME: home, NODE_COMPILE_CACHE: compiled, ...env },
  });
  child.stdin.end(stdin);
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

export async function ended(child: ChildProcess): Promise<Ended> {
  if (child.stdout === null || child.stderr === null) throw new TypeError("started without pipes");
  const [out, err, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.on("close", resolve)),
  ]);
  return { code, out, err };
}
