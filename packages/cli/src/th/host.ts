import { spawn } from "node:child_process";
import { openSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { systemClock } from "@smooth/platform/node/system";
import { smoothHome } from "@smooth/platform/node/home";
import { SmoothError } from "@smooth/protocol/errors";
import type { HostStatus } from "@smooth/protocol/gateway";
import { z } from "zod";
import { connect } from "../connect.ts";
import type { RunDoctor, StartDaemon } from "../daemon.ts";
import { makeHome, readHostFile } from "../host-file.ts";
import { clean, paint, progress, say, show, table, writeData, type JsonFlag } from "../output.ts";
import { EXIT, ExitCode, parseArgument, rpcCommand, stoppedBy, stopSignal } from "../program.ts";

/** The host itself: up, down, status, doctor. */

interface Local {
  readonly startDaemon: StartDaemon;
  readonly runDoctor: RunDoctor;
}

export function hostCommands(program: Command, { startDaemon, runDoctor }: Local): void {
  program
    .command("up")
    .description("Start the host on this machine and stay with it; Ctrl-C stops it.")
    .option("--port <n>", "listen on this port of 127.0.0.1")
    .option("--detach", "leave it running and come back")
    .action(({ port, detach }: { port?: string; detach?: boolean }) =>
      up(startDaemon, { port, detach: detach === true }),
    );
  rpcCommand(program, "down", "shutdown").action(down);
  rpcCommand(program, "status", "hostStatus")
    .option("--json", "one JSON document")
    .action(async (flags: JsonFlag) => show(await connect().call("hostStatus", {}), flags, describeHost));
  program
    .command("doctor")
    .description("Check what this machine has and what it lacks.")
    .option("--json", "one JSON document")
    .action((flags: JsonFlag) => doctor(runDoctor, flags));
}

async function up(
  startDaemon: StartDaemon,
  { port, detach }: { port: string | undefined; detach: boolean },
): Promise<void> {
  const home = smoothHome(process.env);
  const chosen = port === undefined ? null : parseArgument(z.coerce.number().int().min(0).max(65_535), port, "--port");
  makeHome(home);
  const running = await answeringHost(home);
  if (running !== null) return say(`a host is already running at ${running}`);
  if (detach) return writeData(await startDetached(home, chosen));
  const signal = stopSignal();
  progress("starting…");
  const daemon = await startDaemon({ home, port: chosen });
  progress("");
  writeData(daemon.url);
  const interrupted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  await Promise.race([daemon.stopped, interrupted]);
  await daemon[Symbol.asyncDispose]();
  if (stoppedBy() !== 0) throw new ExitCode(stoppedBy());
}

async function answeringHost(home: string): Promise<string | null> {
  const url = readHostFile(home)?.url ?? null;
  if (url === null) return null;
  return connect()
    .call("whoAmI", {})
    .then(
      () => url,
      () => null,
    );
}

const START_LIMIT_MS = 60_000;

/** The same command again, without a terminal, its talk in a file. */
async function startDetached(home: string, port: number | null): Promise<string> {
  const logPath = join(home, "host.log");
  const log = openSync(logPath, "a", 0o600);
  const flags = port === null ? [] : ["--port", String(port)];
  const script = process.argv[1] ?? "";
  const args = [...process.execArgv, script, "up", ...flags];
  const child = spawn(process.execPath, args, { detached: true, stdio: ["ignore", log, log] });
  child.unref();
  for (let waitedMs = 0; waitedMs < START_LIMIT_MS && child.exitCode === null; waitedMs += 100) {
    progress(`starting… ${Math.round(waitedMs / 1_000)} s`);
    await systemClock.sleep(100);
    const url = await answeringHost(home);
    if (url === null) continue;
    progress("");
    return url;
  }
  throw new SmoothError("INTERNAL", `the host did not start; its last words are in ${logPath}`);
}

async function down(): Promise<void> {
  const host = readHostFile(smoothHome(process.env));
  if (host === null) return say("no host was running");
  await connect().call("shutdown", {});
  for (let waitedMs = 0; waitedMs < 15_000; waitedMs += 50) {
    if (!alive(host.pid)) return say("the host stopped");
    await systemClock.sleep(50);
  }
  throw new SmoothError("TIMED_OUT", `the host (pid ${host.pid}) was told to stop but still runs after 15 s`);
}

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function doctor(runDoctor: RunDoctor, flags: JsonFlag): Promise<void> {
  const report = await runDoctor({ home: smoothHome(process.env) });
  show(report, flags, ({ checks }) =>
    checks.flatMap(({ name, ok, detail, fix }) => [
      `${ok ? paint("green", "✓") : paint("red", "✕")} ${name}: ${clean(detail)}`,
      ...(fix === null || ok ? [] : [`  → ${fix}`]),
    ]),
  );
  if (report.checks.some(({ ok }) => !ok)) throw new ExitCode(EXIT.failed);
}

function describeHost(host: HostStatus): string[] {
  return table([
    ["host", `${host.name} ${host.version}${host.demo ? " (DEMO model)" : ""}`],
    ["runs", `${host.runsActive} of ${host.capacity}`],
    ["sandbox", describeSandbox(host.sandbox)],
    ["tunnel", describeTunnel(host.tunnel)],
    ["dashboard", host.dashboard.kind === "unpaired" ? "not paired" : `${host.dashboard.kind}, ${host.dashboard.url}`],
  ]).map(clean);
}

function describeSandbox(sandbox: HostStatus["sandbox"]): string {
  if (sandbox.kind === "ready") return `${sandbox.driver} (${sandbox.level})`;
  if (sandbox.kind === "preparing") return `preparing: ${sandbox.phase}, ${Math.floor(sandbox.percent)} %`;
  return `unavailable: ${sandbox.reasons.join("; ")}`;
}

export function describeTunnel(tunnel: HostStatus["tunnel"]): string {
  if (tunnel.kind === "off") return "off";
  if (tunnel.kind === "dialling") return `dialling ${tunnel.slug}, attempt ${tunnel.attempt}`;
  if (tunnel.kind === "refused") return `refused for ${tunnel.slug}: ${tunnel.reason}`;
  return `${tunnel.url}, ${tunnel.viewers} watching`;
}
