import { spawn } from "node:child_process";
import { SmoothError } from "@smooth/protocol/errors";

/** One git process: argv only, a scrubbed environment, no prompt, nothing executed from the repository (git.node.ts G1). */

export type GitEnv = Readonly<Record<string, string>>;

interface GitRun {
  readonly env?: GitEnv;
  readonly stdin?: string | Uint8Array;
  /** Exit codes beside 0 that are an answer. */
  readonly allow?: readonly number[];
}

interface GitResult {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

const SAFE = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.protectNTFS=true",
  "core.protectHFS=true",
  "core.quotePath=false",
  "core.pager=cat",
  "protocol.ext.allow=never",
  "commit.gpgSign=false",
  "diff.external=",
].flatMap((setting) => ["-c", setting]);

export function runGit(
  repo: string,
  args: readonly string[],
  { env = {}, stdin = "", allow = [] }: GitRun = {},
): Promise<GitResult> {
  return new Promise((resolve, reject) => {
    const child = spawn("git", [...SAFE, "-C", repo, ...args], {
      stdio: ["pipe", "pipe", "pipe"],
      env: {
        PATH: process.env["PATH"],
        HOME: process.env["HOME"],
        LC_ALL: "C.UTF-8",
        GIT_TERMINAL_PROMPT: "0",
        GIT_OPTIONAL_LOCKS: "0",
        ...env,
      },
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    child.stdin.on("error", () => undefined); // git may end before it read everything; its exit code says what counts
    child.on("error", (cause) => reject(failed(args, { stderr: String(cause), cause })));
    child.on("close", (code) => {
      const stderr = Buffer.concat(err).toString("utf8");
      if (code === 0 || (code !== null && allow.includes(code))) resolve({ code, stdout: Buffer.concat(out), stderr });
      else reject(failed(args, { stderr }));
    });
    child.stdin.end(stdin);
  });
}

function failed(args: readonly string[], { stderr, cause }: { stderr: string; cause?: unknown }): SmoothError {
  const firstLine = stderr.trim().split("\n")[0] ?? "";
  return new SmoothError("VCS_FAILED", `git ${args[0]} failed: ${firstLine}`, { cause, details: { stderr } });
}
