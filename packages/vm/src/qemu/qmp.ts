import type { Socket } from "node:net";
import { z } from "zod";
import { SmoothError } from "@smooth/protocol/errors";

/** QEMU's control line: one command at a time, answers in order, events passed over.
 *  Q1. QEMU is jailed and not trusted either: lines are capped and parsed, and nothing it sends throws into the event loop. */

const MAX_LINE_BYTES = 1024 * 1024;
const Line = z.union([
  z.object({ QMP: z.unknown() }),
  z.object({ event: z.string() }),
  z.object({ return: z.unknown() }),
  z.object({ error: z.object({ class: z.string(), desc: z.string() }) }),
]);

export interface Qmp {
  execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown>;
}

export function openQmp(socket: Socket): Qmp {
  const waiting: PromiseWithResolvers<unknown>[] = [];
  let rest = "";
  const fail = (why: string): void => {
    socket.destroy();
    for (const { reject } of waiting.splice(0)) reject(new SmoothError("SANDBOX_FAILED", `QEMU control line: ${why}`));
  };
  const take = (text: string): void => {
    const line = Line.safeParse(parseJson(text));
    if (!line.success) return fail("a line that does not parse");
    if ("return" in line.data) waiting.shift()?.resolve(line.data.return);
    else if ("error" in line.data) waiting.shift()?.reject(new SmoothError("SANDBOX_FAILED", line.data.error.desc));
  };
  socket.setEncoding("utf8");
  socket.on("error", () => fail("broken"));
  socket.on("close", () => fail("closed"));
  socket.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    lines.filter((line) => line.trim() !== "").forEach(take);
    if (rest.length > MAX_LINE_BYTES) fail("a line that does not end");
  });
  const execute: Qmp["execute"] = (command, args) => {
    const answer = Promise.withResolvers<unknown>();
    if (socket.destroyed) return Promise.reject(new SmoothError("SANDBOX_FAILED", "QEMU control line: closed"));
    waiting.push(answer);
    socket.write(`${JSON.stringify({ execute: command, ...(args && { arguments: args }) })}\n`);
    return answer.promise;
  };
  execute("qmp_capabilities").catch(() => {}); // When it fails, so does the command after it.
  return { execute };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // Not a line QMP knows.
  }
}
