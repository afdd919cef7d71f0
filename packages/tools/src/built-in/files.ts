import { applyPatch } from "diff/lib/patch/apply.js";
import { z } from "zod";
import { defineTool, failure, type ToolContext, type ToolResult } from "../define-tool.ts";
import type { Access } from "../workspace/workspace.ts";

/** read, write, edit, list: files by way of the Workspace, which alone decides what is inside. */

const Path = z.string().min(1).max(4_096).describe("relative to the workspace root, or absolute inside it");

export const read = defineTool({
  name: "read",
  description: "Read a text file. `offset` (first line, from 1) and `limit` (lines) read a part of a large one.",
  schema: z.strictObject({
    path: Path,
    offset: z.int().positive().optional(),
    limit: z.int().positive().optional(),
  }),
  execute: async ({ path, offset, limit }, context) => {
    const part = offset !== undefined || limit !== undefined;
    const bytes = await context.workspace.read(path, part ? MAX_PART_SOURCE_BYTES : context.maxOutputBytes);
    if (bytes.kind === "refused" && bytes.reason === "too-large")
      return failure(`File too large: ${bytes.message}. Read a part with offset and limit, or grep it.`);
    if (bytes.kind === "refused") return failure(bytes.message);
    if (bytes.value.includes(0)) return failure(`${path} is a binary file of ${bytes.value.length} bytes`);
    const text = decode(bytes.value);
    if (!part) return text;
    const first = (offset ?? 1) - 1;
    return text
      .split("\n")
      .slice(first, limit === undefined ? undefined : first + limit)
      .join("\n");
  },
});

export const write = defineTool({
  name: "write",
  description: "Write a file, creating parent folders. Replaces the whole content.",
  schema: z.strictObject({ path: Path, content: z.string() }),
  execute: async ({ path, content }, context) => {
    const bytes = new TextEncoder().encode(content);
    if (bytes.length > context.maxOutputBytes)
      return failure(`Content too large: ${bytes.length} bytes, the limit is ${context.maxOutputBytes}`);
    return okOr(await context.workspace.write(path, bytes));
  },
});

export const edit = defineTool({
  name: "edit",
  description:
    "Change an existing file: either `patch`, a unified diff of that file, or `old` and `new`, where `old` is a passage that occurs exactly once.",
  schema: z.strictObject({
    path: Path,
    patch: z.string().optional(),
    old: z.string().min(1).optional(),
    new: z.string().optional(),
  }),
  execute: async (args, context) => {
    const before = await context.workspace.read(args.path, context.maxOutputBytes);
    if (before.kind === "refused") return failure(before.message);
    const text = exact(before.value);
    if (text === null) return failure(`${args.path} is not UTF-8 text; an edit would change the rest of it too`);
    const mark = text.startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK : "";
    const after = change(text.slice(mark.length), args);
    return after.ok ? save(args.path, mark + after.content, context) : after;
  },
});

export const list = defineTool({
  name: "list",
  description:
    "List a folder. Folders end with a slash; `depth` lists below it too. `.git` and `node_modules` stay closed.",
  schema: z.strictObject({ path: Path.optional(), depth: z.int().min(1).max(8).optional() }),
  execute: async ({ path = ".", depth = 1 }, context) => {
    const lines: string[] = [];
    const refused = await walk({ path, depth, prefix: "" }, { context, lines });
    if (refused) return failure(refused);
    if (lines.length < MAX_ENTRIES) return lines.join("\n");
    return `${lines.slice(0, MAX_ENTRIES).join("\n")}\n[stopped at ${MAX_ENTRIES} entries; list a folder inside]`;
  },
});

const MAX_PART_SOURCE_BYTES = 20_000_000;
const MAX_ENTRIES = 1_000;
const CLOSED = new Set([".git/", "node_modules/"]);

async function walk(
  at: { readonly path: string; readonly depth: number; readonly prefix: string },
  into: { readonly context: ToolContext; readonly lines: string[] },
): Promise<string | null> {
  const names = await into.context.workspace.list(at.path);
  if (names.kind === "refused") return names.message;
  for (const name of names.value) {
    if (into.lines.length >= MAX_ENTRIES) return null;
    into.lines.push(at.prefix + name);
    if (at.depth === 1 || !name.endsWith("/") || CLOSED.has(name)) continue;
    await walk({ path: `${at.path}/${name}`, depth: at.depth - 1, prefix: at.prefix + name }, into);
  }
  return null;
}

/** The new text, or why there is none. */
function change(
  text: string,
  how: { patch?: string | undefined; old?: string | undefined; new?: string | undefined },
): ToolResult {
  if (how.patch !== undefined && how.old === undefined) return patched(text, how.patch);
  if (how.patch !== undefined || how.old === undefined || how.new === undefined)
    return failure("give either `patch`, or `old` together with `new`");
  const first = text.indexOf(how.old);
  if (first < 0) return failure("`old` does not occur in the file; read it again and copy the passage exactly");
  if (text.indexOf(how.old, first + 1) >= 0) return failure("`old` occurs more than once; take more lines around it");
  return { ok: true, content: text.slice(0, first) + how.new + text.slice(first + how.old.length) };
}

function patched(text: string, patch: string): ToolResult {
  const after = applyPatch(text, patch);
  return after === false
    ? failure("Failed to apply patch: its context does not match the file; read it again")
    : { ok: true, content: after };
}

async function save(path: string, text: string, context: ToolContext): Promise<ToolResult> {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > context.maxOutputBytes)
    return failure(`File too large: ${bytes.length} bytes, the limit is ${context.maxOutputBytes}`);
  return okOr(await context.workspace.write(path, bytes));
}

const okOr = (access: Access<null>): ToolResult =>
  access.kind === "ok" ? { ok: true, content: "ok" } : failure(access.message);

const BYTE_ORDER_MARK = "\uFEFF";

/** Null: encoded again it would be other bytes. */
function exact(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
