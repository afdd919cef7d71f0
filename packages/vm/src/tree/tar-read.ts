import { TAR_BLOCK } from "./tar-write.ts";

/** A tar stream from a stranger, member by member. Only as much is kept as one header and one name record.
 *  T1. A broken header, a size that is no size, or a name record over the cap ends the reading with a reason.
 *  T2. The body of a member is offered once, as chunks; what the consumer does not take is passed over. */

const MAX_NAME_RECORD_BYTES = 64 * 1024;

export interface TarEntry {
  readonly path: string;
  readonly kind: "file" | "folder" | "link" | "other";
  readonly sizeBytes: number;
  readonly executable: boolean;
  readonly target: string;
  readonly body: () => AsyncGenerator<Buffer>;
}

export class TarFault extends Error {
  override readonly name = "TarFault";
}

export async function* readTar(source: AsyncIterable<Buffer>): AsyncGenerator<TarEntry> {
  const bytes = byteSource(source);
  let long: { path?: string; linkpath?: string } = {};
  for (;;) {
    const block = await bytes.exactly(TAR_BLOCK);
    if (block === null || block.every((byte) => byte === 0)) break;
    const header = parseHeader(block);
    if ("xLKg".includes(header.type)) {
      if (header.sizeBytes > MAX_NAME_RECORD_BYTES) throw new TarFault("name record too long");
      const record = await bytes.exactly(padded(header.sizeBytes));
      if (record === null) throw new TarFault("ends inside a name record");
      long = { ...long, ...nameRecord(header.type, record.subarray(0, header.sizeBytes)) };
      continue;
    }
    const body = bytes.body(header.sizeBytes);
    const { path = header.path, linkpath = header.target } = long;
    yield { ...header, path, target: linkpath, kind: KINDS[header.type] ?? "other", body };
    for await (const rest of body()) void rest;
    long = {};
  }
  await bytes.drain();
}

const KINDS: Readonly<Record<string, TarEntry["kind"]>> = { "0": "file", "\0": "file", "5": "folder", "2": "link" };

interface Header {
  readonly path: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly executable: boolean;
  readonly target: string;
}

function parseHeader(block: Buffer): Header {
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
  if (octal(block.subarray(148, 156)) !== sum) throw new TarFault("header checksum is wrong");
  const sizeBytes = octal(block.subarray(124, 136));
  if (sizeBytes === null) throw new TarFault("size is not a number");
  const type = String.fromCharCode(block.readUInt8(156));
  const prefix = block.toString("latin1", 257, 263) === "ustar\0" ? text(block.subarray(345, 500)) : "";
  const name = text(block.subarray(0, 100));
  const bodiless = "123456".includes(type);
  const executable = ((octal(block.subarray(100, 108)) ?? 0) & 0o100) !== 0;
  return {
    path: prefix === "" ? name : `${prefix}/${name}`,
    type,
    sizeBytes: bodiless ? 0 : sizeBytes,
    executable,
    target: text(block.subarray(157, 257)),
  };
}

function octal(field: Buffer): number | null {
  const digits = field
    .toString("latin1")
    .replace(/[\0 ]+$/, "")
    .trim();
  return /^[0-7]{1,11}$/.test(digits) ? Number.parseInt(digits, 8) : null;
}

function text(field: Buffer): string {
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end === -1 ? field.length : end);
}

function nameRecord(type: string, record: Buffer): { path?: string; linkpath?: string } {
  if (type === "L") return { path: text(record) };
  if (type === "K") return { linkpath: text(record) };
  if (type === "g") return {};
  const found: { path?: string; linkpath?: string } = {};
  for (let at = 0; at < record.length;) {
    const space = record.indexOf(32, at);
    const length = Number(record.toString("latin1", at, space));
    if (space === -1 || !Number.isInteger(length) || length <= space - at || at + length > record.length)
      throw new TarFault("broken pax record");
    const [key = "", ...value] = record.toString("utf8", space + 1, at + length - 1).split("=");
    if (key === "path" || key === "linkpath") found[key] = value.join("=");
    if (key === "size") throw new TarFault("size given twice"); // We never accept a file that large.
    at += length;
  }
  return found;
}

function padded(sizeBytes: number): number {
  return Math.ceil(sizeBytes / TAR_BLOCK) * TAR_BLOCK;
}

interface ByteSource {
  /** Null at a clean end of the stream. */
  exactly(count: number): Promise<Buffer | null>;
  body(sizeBytes: number): () => AsyncGenerator<Buffer>;
  drain(): Promise<void>;
}

function byteSource(source: AsyncIterable<Buffer>): ByteSource {
  const chunks = source[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  const some = async (): Promise<Buffer | null> => {
    if (held.length === 0) {
      const next = await chunks.next();
      if (next.done) return null;
      held = next.value;
    }
    return held;
  };
  const upTo = async (count: number): Promise<Buffer | null> => {
    const bytes = await some();
    if (bytes === null) return null;
    held = bytes.subarray(count);
    return bytes.subarray(0, count);
  };
  return {
    async exactly(count) {
      const parts: Buffer[] = [];
      for (let left = count; left > 0;) {
        const part = await upTo(left);
        if (part === null && parts.length === 0) return null;
        if (part === null) throw new TarFault("ends inside a block");
        parts.push(part);
        left -= part.length;
      }
      return Buffer.concat(parts);
    },
    body(sizeBytes) {
      let left = sizeBytes;
      let padding = padded(sizeBytes) - sizeBytes;
      return async function* () {
        while (left > 0) {
          const part = await upTo(left);
          if (part === null) throw new TarFault("ends inside a file");
          left -= part.length;
          yield part;
        }
        while (padding > 0) {
          const part = await upTo(padding);
          if (part === null) throw new TarFault("ends inside a file");
          padding -= part.length;
        }
      };
    },
    async drain() {
      for (;;) {
        held = Buffer.alloc(0);
        if ((await some()) === null) return;
      }
    },
  };
}
