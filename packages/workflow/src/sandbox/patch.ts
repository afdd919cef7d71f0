/** The changed files of a sandbox, as a person reads them. Pure.
 *  P1. What is cut or cannot be shown as text is named with its size: nobody agrees to what they were not told of. */
import { createTwoFilesPatch } from "diff";

export interface PatchedFile {
  readonly path: string;
  /** Null: not there. */
  readonly before: Uint8Array | null;
  readonly after: Uint8Array | null;
  readonly note: string;
}

/** Fits the row of an approval. */
const MAX_PATCH = 48 * 1024;
const MAX_FILE_BYTES = 256 * 1024;

export function patchOf(files: readonly PatchedFile[]): string {
  let patch = "";
  for (const file of files) {
    const part = partOf(file);
    const fits = patch.length + part.length <= MAX_PATCH;
    patch += fits ? part : header(file, "too long to be shown here"); // P1
  }
  return patch;
}

function partOf(file: PatchedFile): string {
  const { path, before, after, note } = file;
  const old = textOf(before);
  const now = textOf(after);
  if (old === null || now === null) return header(file, "not text");
  const names = [before === null ? "/dev/null" : `a/${path}`, after === null ? "/dev/null" : `b/${path}`] as const;
  const patch = createTwoFilesPatch(...names, old, now, undefined, undefined, { context: 3 });
  return `${note === "" ? "" : `# ${path}: ${note}\n`}${patch.replace(/^=+\n/, "")}`;
}

const header = ({ path, before, after, note }: PatchedFile, why: string): string =>
  `# ${path}: ${size(before)} → ${size(after)}, ${why}${note === "" ? "" : `, ${note}`}\n`;
const size = (bytes: Uint8Array | null): string => (bytes === null ? "nothing" : `${bytes.length} bytes`);

function textOf(bytes: Uint8Array | null): string | null {
  if (bytes === null) return "";
  if (bytes.length > MAX_FILE_BYTES || bytes.includes(0)) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
