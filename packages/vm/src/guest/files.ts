import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import type { AgentRequest, AgentResult } from "../channel/messages.ts";
import type { MuxStream, StreamEvents } from "../channel/mux.ts";

export function readInto({ path, maxBytes }: Extract<AgentRequest, { op: "read" }>, stream: MuxStream): StreamEvents {
  let cancelled = false;
  const send = async (): Promise<AgentResult> => {
    const { size } = await stat(path);
    if (size > maxBytes)
      return { kind: "failed", code: "EFBIG", message: `${path} has ${size} bytes, the limit is ${maxBytes}` };
    for await (const chunk of createReadStream(path, { highWaterMark: 64 * 1024 })) {
      if (cancelled) break;
      await stream.send(chunk as Buffer);
    }
    return { kind: "done" };
  };
  void answerWith(send(), stream);
  return { closed: () => void (cancelled = true) };
}

export function writeFrom({ path, mode }: Extract<AgentRequest, { op: "write" }>, stream: MuxStream): StreamEvents {
  const chunks: Buffer[] = [];
  let wake = (): void => {};
  let over = false;
  async function* incoming(): AsyncGenerator<Buffer> {
    for (;;) {
      const chunk = chunks.shift();
      if (chunk) {
        yield chunk;
        stream.consumed(chunk.length);
      } else if (over) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  const save = async (): Promise<AgentResult> => {
    await mkdir(dirname(path), { recursive: true });
    await pipeline(incoming(), createWriteStream(path, { mode }));
    return { kind: "done" };
  };
  const finish = (): void => {
    over = true;
    wake();
  };
  void answerWith(save(), stream);
  const take = (chunk: Buffer): void => {
    chunks.push(chunk);
    wake();
  };
  return { data: take, end: finish, closed: finish };
}

export async function answerWith(work: Promise<AgentResult>, stream: MuxStream): Promise<void> {
  const result = await work.catch((error: NodeJS.ErrnoException): AgentResult => {
    return { kind: "failed", code: error.code ?? "FAILED", message: error.message.slice(0, 400) };
  });
  stream.result(Buffer.from(JSON.stringify(result)));
}
