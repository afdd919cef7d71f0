import { createReadStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { SmoothError } from "@smooth/protocol/errors";
import type { PutTree } from "../driver.ts";
import { linkStaysInside, matcher } from "./paths.ts";

/** A host folder as a tar stream (ustar, pax headers for long names).
 *  W1. Regular files, folders and links that stay inside; anything else is named in `skipped`.
 *  W2. Over `maxBytes` the stream ends with PAYLOAD_TOO_LARGE before the byte too many is sent. */

export const DEFAULT_TREE_BYTES = 100 * 1024 * 1024;
export const TAR_BLOCK = 512;

export interface TarTally {
  files: number;
  bytes: number;
  readonly skipped: string[];
}

export async function* tarOf(
  { from, include = ["."], exclude = [], maxBytes = DEFAULT_TREE_BYTES }: Omit<PutTree, "to">,
  tally: TarTally,
): AsyncGenerator<Buffer> {
  const left = matcher(exclude);
  const seen = new Set<string>();
  for (const path of include) yield* walk(path === "." ? "" : path.replace(/\/+$/, ""));
  yield Buffer.alloc(TAR_BLOCK * 2);

  async function* walk(path: string): AsyncGenerator<Buffer> {
    if (seen.has(path) || (path !== "" && left(path))) return;
    seen.add(path);
    const full = join(from, path);
    const info = await lstat(full);
    if (info.isDirectory()) {
      if (path !== "")
        yield tarHeader({ path: `${path}/`, type: "5", mode: info.mode, sizeBytes: 0, mtimeMs: info.mtimeMs });
      for (const name of (await readdir(full)).toSorted()) yield* walk(path === "" ? name : `${path}/${name}`);
      return;
    }
    if (info.isSymbolicLink()) {
      const target = await readlink(full);
      if (!linkStaysInside(path, target)) return void tally.skipped.push(path);
      yield tarHeader({ path, type: "2", mode: 0o777, sizeBytes: 0, mtimeMs: info.mtimeMs, target });
      return;
    }
    if (!info.isFile()) return void tally.skipped.push(path);
    tally.files += 1;
    tally.bytes += info.size;
    if (tally.bytes > maxBytes)
      throw new SmoothError(
        "PAYLOAD_TOO_LARGE",
        `${from} holds more than ${maxBytes} bytes; exclude more or raise the limit`,
      );
    yield tarHeader({ path, type: "0", mode: info.mode, sizeBytes: info.size, mtimeMs: info.mtimeMs });
    yield* bodyOf(full, info.size);
  }
}

/** Exactly as many bytes as the header promised, also when the file grows or shrinks meanwhile. */
async function* bodyOf(path: string, sizeBytes: number): AsyncGenerator<Buffer> {
  let left = sizeBytes;
  if (sizeBytes > 0) {
    for await (const chunk of createReadStream(path, { end: sizeBytes - 1, highWaterMark: 64 * 1024 })) {
      left -= (chunk as Buffer).length;
      yield chunk as Buffer;
    }
  }
  const missing = left + ((TAR_BLOCK - (sizeBytes % TAR_BLOCK)) % TAR_BLOCK);
  if (missing > 0) yield Buffer.alloc(missing);
}

export interface TarMember {
  readonly path: string;
  readonly type: "0" | "2" | "5" | "x";
  readonly mode: number;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly target?: string;
}

/** One header block, after a pax header when a name does not fit. */
export function tarHeader(member: TarMember): Buffer {
  const { path, target = "" } = member;
  const long: [string, string][] = [];
  if (Buffer.byteLength(path) > 100) long.push(["path", path]);
  if (Buffer.byteLength(target) > 100) long.push(["linkpath", target]);
  if (long.length === 0) return plainHeader(member);
  const body = Buffer.from(long.map(([key, value]) => paxRecord(key, value)).join(""));
  const padded = Buffer.concat([body, Buffer.alloc((TAR_BLOCK - (body.length % TAR_BLOCK)) % TAR_BLOCK)]);
  const pax = plainHeader({ path: "pax", type: "x", mode: 0o644, sizeBytes: body.length, mtimeMs: 0 });
  return Buffer.concat([pax, padded, plainHeader(member)]);
}

function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  let length = bytes + String(bytes).length;
  if (String(length).length !== String(bytes).length) length = bytes + String(length).length;
  return `${length}${rest}`;
}

function plainHeader({ path, type, mode, sizeBytes, mtimeMs, target = "" }: TarMember): Buffer {
  const block = Buffer.alloc(TAR_BLOCK);
  const octal = (value: number, at: number, width: number): void => {
    block.write(`${value.toString(8).padStart(width - 1, "0")}\0`, at, "latin1");
  };
  Buffer.from(path).copy(block, 0, 0, 100);
  octal(mode & 0o777, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(sizeBytes, 124, 12);
  octal(Math.max(0, Math.floor(mtimeMs / 1000)), 136, 12);
  block.write("        ", 148, "latin1");
  block.write(type, 156, "latin1");
  Buffer.from(target).copy(block, 157, 0, 100);
  block.write("ustar\u000000", 257, "latin1");
  block.write(
    `${block
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
    "latin1",
  );
  return block;
}
