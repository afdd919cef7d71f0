import { createHash } from "node:crypto";
import { SmoothError } from "@smooth/protocol/errors";
import type { z } from "zod";
import * as commands from "../built-in/commands.ts";
import * as files from "../built-in/files.ts";
import { failure, type Tool } from "../define-tool.ts";
import { clipText } from "../workspace/output-window.ts";
import { parsed, type TaskTool } from "./define-tool.node.ts";
import { callInTask, type TaskCall } from "./scope.node.ts";

/** read, write, edit, grep and bash for the agents of a task: the tools of this package, in the task's own workspace.
 *  B1. They change the workspace only, so a retry needs no warning; what they refuse, they throw.
 *  B2. A command that may not use the network runs behind a wall or not at all. */

export const read = inTask(files.read, (args) => args);
export const write = inTask(files.write, ({ path, content }) => ({ path, ...fingerprint(content) }));
export const edit = inTask(files.edit, ({ path, patch, ...other }) =>
  patch === undefined ? { path, ...other } : { path, ...fingerprint(patch) },
);
export const grep = inTask(commands.grep, (args) => args);
const command = inTask(commands.bash, (args) => args);
type Command = z.input<typeof commands.bash.schema>;
/** A compute body may also call it: `await bash("npm test")`. */
export const bash = Object.defineProperties(
  (cmd: string, args?: Command["args"], opts?: Command["opts"]) => command.execute({ cmd, args, opts }),
  Object.getOwnPropertyDescriptors(command),
) as typeof command & ((cmd: string, args?: Command["args"], opts?: Command["opts"]) => Promise<string>);

export const tools = { read, write, edit, grep, bash } as const;

const COMMANDS = new Set(["grep", "bash"]);

/** `logged`: what the log shows of the arguments; contents are shown by their hash. */
function inTask<S extends z.ZodObject>(
  tool: Tool<S>,
  logged: (args: Readonly<Record<string, string>>) => unknown,
): TaskTool<S, string> {
  const { name, description, schema, sideEffect, idempotent } = tool;
  return {
    name,
    description,
    sideEffect,
    idempotent,
    inputSchema: schema,
    execute: (args) =>
      callInTask(tool, { args, logged: logged(args as Record<string, string>) }, async (call) => {
        if (COMMANDS.has(name)) await call.checkWall(); // B2
        return content(tool, parsed(schema, name, args), call);
      }),
  };
}

async function content(tool: Tool, args: unknown, call: TaskCall): Promise<string> {
  const { maxOutputBytes, toolTimeoutMs: commandTimeoutMs, signal, idempotencyKey } = call;
  const workspace = call.workspace();
  const result = signal.aborted
    ? failure("the task is over")
    : await tool.call(args, {
        workspace,
        signal,
        maxOutputBytes,
        idempotencyKey,
        commandTimeoutMs,
        shell: "plain",
      });
  if (!result.ok) throw new SmoothError("TOOL_FAILED", clipText(result.content, maxOutputBytes));
  return clipText(result.content, maxOutputBytes);
}

function fingerprint(text: unknown): { readonly sha256: string; readonly sizeBytes: number } {
  const bytes = Buffer.from(typeof text === "string" ? text : "");
  return { sha256: createHash("sha256").update(bytes).digest("hex"), sizeBytes: bytes.length };
}
