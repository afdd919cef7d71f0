import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { SmoothError } from "@smooth/protocol/errors";
import { openQmp, type Qmp } from "./qmp.ts";

/** One QEMU and its three sockets. We listen before it starts: "connected" is an event, nothing is polled for.
 *  P1. The console is the guest's to fill: only its tail is kept, in memory. */

const CONSOLE_TAIL = 16 * 1024;

export interface QemuProcess {
  readonly pid: number;
  readonly agent: Socket;
  readonly goalie: Socket;
  readonly qmp: Qmp;
  /** Never rejects. */
  readonly exited: Promise<void>;
  /** The last of what guest console and QEMU itself said. */
  lastWords(): string;
  kill(): Promise<void>;
}

export interface Launch {
  readonly command: readonly string[];
  readonly runDir: string;
  /** A saved machine state; handed over as descriptor 3. */
  readonly stateFile?: string;
  readonly signal: AbortSignal;
}

export async function launchQemu({ command, runDir, stateFile, signal }: Launch): Promise<QemuProcess> {
  const doors = ["agent", "goalie", "qmp"].map((name) => acceptOne(join(runDir, `${name}.sock`)));
  await Promise.all(doors.map((door) => door.listening));
  const [program = "", ...args] = command;
  const state = stateFile === undefined ? [] : [openSync(stateFile, "r")];
  const incoming = stateFile === undefined ? [] : ["-incoming", "fd:3"];
  const child = spawn(program, [...args, ...incoming], {
    stdio: ["ignore", "pipe", "pipe", ...state],
    cwd: "/",
    env: {},
  });
  state.forEach(closeSync);
  const said = tail(child);
  const exited = new Promise<void>((resolve) => {
    child.once("close", () => resolve()); // The pipes are QEMU's own: it is gone too, not just the jail around it.
    child.once("error", () => resolve());
  });
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
    for (const door of doors) door.close();
  };
  const connected = Promise.all(doors.map((door) => door.socket));
  connected.catch(() => {});
  const died = exited.then(() => {
    throw new SmoothError("SANDBOX_FAILED", `QEMU ended before it was ready: ${said() || "it said nothing"}`);
  });
  died.catch(() => {});
  const aborted = once(signal, "abort");
  try {
    signal.throwIfAborted();
    const sockets = await Promise.race([connected, died, aborted.then(() => signal.throwIfAborted())]);
    const [agent, goalie, qmp] = sockets as Socket[];
    if (!agent || !goalie || !qmp || child.pid === undefined) throw new TypeError("three doors give three sockets");
    return { pid: child.pid, agent, goalie, qmp: openQmp(qmp), exited, lastWords: said, kill };
  } catch (error) {
    await kill();
    throw error;
  }
}

/** Exactly one connection is taken; then the door is shut. */
function acceptOne(path: string): { listening: Promise<void>; socket: Promise<Socket>; close(): void } {
  const socket = Promise.withResolvers<Socket>();
  const listening = Promise.withResolvers<void>();
  const server = createServer((connection) => {
    connection.on("error", () => {}); // `close` follows and is what counts.
    server.close();
    socket.resolve(connection);
  });
  server.on("error", (error) => listening.reject(error));
  server.listen(path, () => listening.resolve());
  const close = (): void => {
    server.close(() => {});
    void socket.promise.then((connection) => connection.destroy());
  };
  return { listening: listening.promise, socket: socket.promise, close };
}

function tail(child: ChildProcess): () => string {
  let text = "";
  for (const pipe of [child.stdout, child.stderr]) {
    pipe?.setEncoding("utf8").on("data", (chunk: string) => (text = (text + chunk).slice(-CONSOLE_TAIL)));
    pipe?.on("error", () => {});
  }
  return () => text.trim();
}
