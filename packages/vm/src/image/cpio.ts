/** A "newc" cpio archive, the one format the kernel unpacks as an initramfs. */

export type CpioEntry =
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "file"; readonly path: string; readonly mode: number; readonly content: Uint8Array }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

export function packCpio(entries: readonly CpioEntry[]): Buffer {
  const parts = entries.map((entry, index) => packEntry(entry, index + 1));
  return Buffer.concat([...parts, header({ path: "TRAILER!!!", mode: 0, sizeBytes: 0, inode: 0 })]);
}

function packEntry(entry: CpioEntry, inode: number): Buffer {
  const { mode, content } = describe(entry);
  const head = header({ path: entry.path, mode, sizeBytes: content.length, inode });
  return Buffer.concat([head, content, Buffer.alloc(padding(content.length))]);
}

function describe(entry: CpioEntry): { mode: number; content: Uint8Array } {
  if (entry.kind === "directory") return { mode: 0o040755, content: Buffer.alloc(0) };
  if (entry.kind === "link") return { mode: 0o120777, content: Buffer.from(entry.target) };
  return { mode: 0o100000 | entry.mode, content: entry.content };
}

function header({
  path,
  mode,
  sizeBytes,
  inode,
}: {
  path: string;
  mode: number;
  sizeBytes: number;
  inode: number;
}): Buffer {
  const name = `${path}\0`;
  const fields = [inode, mode, 0, 0, 1, 0, sizeBytes, 0, 0, 0, 0, name.length, 0];
  const text = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}${name}`;
  return Buffer.concat([Buffer.from(text), Buffer.alloc(padding(text.length))]);
}

function padding(length: number): number {
  return (4 - (length % 4)) % 4;
}
