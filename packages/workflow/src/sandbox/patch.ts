/** The changed files of a sandbox, as a person reads them.
 *  P1. What is cut or cannot be shown as text is named with its size: nobody agrees to what they were not told of.
 *  P2. A link and an executable are called so: their text alone does not tell.
 *  P3. Comparing ends: a stranger's files hold this thread for a few seconds at most, however they differ.
 *  P4. Text that is shown in another order than it is in, or as a terminal's command, is called so. */
import { createTwoFilesPatch } from "diff";

export interface PatchedFile {
  readonly path: string;
  /** Null: not there. */
  readonly before: PatchedVersion | null;
  readonly after: PatchedVersion | null;
}

interface PatchedVersion {
  readonly kind: "file" | "link";
  readonly executable: boolean;
  readonly bytes: Uint8Array;
}

/** Text is shown in another order than it is in, or ends where it goes on. */
export const REORDERING = /[\p{Zl}\p{Zp}\p{Bidi_Control}]/u;

/** Fits the row of an approval. */
const MAX_PATCH = 48 * 1024;
const MAX_FILE_BYTES = 256 * 1024;

/** P3. For each file, and how many may come to nothing before the others are only named. */
const MAX_EDITS = 2_000;
const MAX_IN_VAIN = 5;

export function patchOf(files: readonly PatchedFile[]): string {
  let patch = "";
  let inVain = 0;
  for (const file of files) {
    const room = MAX_PATCH - patch.length;
    const part = room <= 0 || inVain >= MAX_IN_VAIN ? { why: NO_ROOM } : partOf(file, room);
    if ("why" in part) {
      if (part.compared) inVain += 1;
      patch += header(file, part.why); // P1
    } else patch += part.text;
  }
  return patch;
}

type Part = { readonly text: string } | { readonly why: string; readonly compared?: boolean };
const NO_ROOM = "too long to be shown here";

function partOf(file: PatchedFile, room: number): Part {
  const { path, before, after } = file;
  const old = textOf(before?.bytes ?? null);
  const now = textOf(after?.bytes ?? null);
  if (old === null || now === null) return { why: "not text" };
  if (Math.abs(old.length - now.length) > room) return { why: NO_ROOM };
  const names = [before === null ? "/dev/null" : `a/${path}`, after === null ? "/dev/null" : `b/${path}`] as const;
  const how = { context: 3, maxEditLength: MAX_EDITS };
  const patch = createTwoFilesPatch(...names, old, now, undefined, undefined, how);
  if (patch === undefined) return { why: "too different to be shown here", compared: true };
  const note = noteOf(file);
  const text = `${note === "" ? "" : `# ${path}: ${note}\n`}${patch.replace(/^=+\n/, "")}`;
  return text.length <= room ? { text } : { why: NO_ROOM, compared: true };
}

function header(file: PatchedFile, why: string): string {
  const note = noteOf(file);
  return `# ${file.path}: ${size(file.before)} → ${size(file.after)}, ${why}${note === "" ? "" : `, ${note}`}\n`;
}

const size = (version: PatchedVersion | null): string =>
  version === null ? "nothing" : `${version.bytes.length} bytes`;

function noteOf(file: PatchedFile): string {
  const text = textOf(file.after?.bytes ?? null) ?? "";
  const odd =
    REORDERING.test(text) || /[^\P{Cc}\t\n\r]/u.test(text) ? "holds characters that show it as something else" : "";
  return [kindNote(file), odd].filter((note) => note !== "").join(", "); // P4
}

/** P2 */
function kindNote({ before, after }: PatchedFile): string {
  const [was, is] = [modeOf(before), modeOf(after)];
  if (was === is) return is === "link" ? "link" : "";
  if (before === null) return is === "file" ? "" : `new ${is}`;
  if (after === null) return was === "file" ? "" : `deleted ${was}`;
  return `${was} → ${is}`;
}

const modeOf = (version: PatchedVersion | null): string => (version?.executable ? "executable" : (version?.kind ?? ""));

function textOf(bytes: Uint8Array | null): string | null {
  if (bytes === null) return "";
  if (bytes.length > MAX_FILE_BYTES || bytes.includes(0)) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
