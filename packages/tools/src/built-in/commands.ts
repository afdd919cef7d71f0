import { z } from "zod";
import { defineTool, failure, type ToolResult } from "../define-tool.ts";
import type { Exit } from "../workspace/workspace.ts";

/** grep and bash: programs by way of the Workspace. An argument is never spliced into a shell line that the model did not write. */

const DEFAULT_TIMEOUT_MS = 60_000;
const MAX_TIMEOUT_MS = 600_000;

export const grep = defineTool({
  name: "grep",
  description:
    "Search files with a regular expression (ripgrep). Answers `file:line:text` lines; nothing when nothing matches.",
  schema: z.strictObject({ pattern: z.string().min(1), path: z.string().min(1).optional() }),
  execute: async ({ pattern, path = "." }, { workspace, signal, maxOutputBytes, commandTimeoutMs }) => {
    const place = await workspace.list(path);
    if (place.kind === "refused" && place.reason === "outside") return failure(place.message); // ripgrep reads what it is given
    const flags = [
      "-n",
      "--with-filename",
      "--no-heading",
      "--color=never",
      "--max-columns=500",
      "--no-config",
    ] as const;
    const exit = await workspace.run({
      argv: ["rg", ...flags, "-e", pattern, "--", path],
      timeoutMs: commandTimeoutMs ?? DEFAULT_TIMEOUT_MS,
      maxOutputBytes,
      signal,
    });
    if (exit.kind === "exited" && exit.code === 0) return exit.output;
    if (exit.kind === "exited" && exit.code === 1) return "";
    return failure(say(exit));
  },
});

export const bash = defineTool({
  name: "bash",
  description:
    "Run a command. `cmd` alone is a bash line; with `args`, `cmd` is a program that gets them as they are. Answers stdout and stderr; a non-zero exit is a failure. `opts.timeoutMs` up to ten minutes (default one).",
  schema: z.strictObject({
    cmd: z.string().min(1).max(100_000),
    args: z.array(z.string()).max(1_000).optional(),
    opts: z
      .strictObject({
        cwd: z.string().min(1).optional(),
        timeoutMs: z.int().positive().max(MAX_TIMEOUT_MS).optional(),
      })
      .optional(),
  }),
  execute: async ({ cmd, args, opts = {} }, { workspace, signal, maxOutputBytes, commandTimeoutMs, shell }) => {
    const exit = await workspace.run({
      argv: args ? [cmd, ...args] : ["bash", shell === "plain" ? "-c" : "-lc", cmd],
      ...(opts.cwd === undefined ? {} : { cwd: opts.cwd }),
      timeoutMs: opts.timeoutMs ?? commandTimeoutMs ?? DEFAULT_TIMEOUT_MS,
      maxOutputBytes,
      signal,
    });
    return exit.kind === "exited" && exit.code === 0 ? exit.output : failure(say(exit));
  },
});

function say(exit: Exit): ToolResult["content"] {
  switch (exit.kind) {
    case "exited":
      return `exit code ${exit.code}\n${exit.output}`;
    case "killed":
      return `${STOPPED[exit.by]}\n${exit.output}`;
    case "not-started":
      return `could not start: ${exit.message}`;
  }
}

const STOPPED = {
  timeout: "killed: it took longer than its timeout; run it with a longer opts.timeoutMs or in smaller steps",
  cancel: "killed: cancelled",
  signal: "killed by a signal",
} as const;
