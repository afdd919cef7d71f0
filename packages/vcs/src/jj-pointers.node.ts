/** Pointers on Jujutsu: the commit id that the working copy has after jj looked at the files. jj keeps every one of them.
 *  J1. The change id names a change that moves on; the commit id names files. So the commit id is the pointer. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { SmoothError } from "@smooth/protocol/errors";
import { describeTree } from "./git.node.ts";
import type { Pointers } from "./vcs.ts";

export const jjPointers: Pointers = {
  snapshot: (root) => jj(root, ["log", "--no-graph", "-r", "@", "-T", "commit_id"]),
  async restore(root, pointer) {
    await jj(root, ["restore", "--from", pointer]);
  },
  diff: async (root, from, to) => (await describeTree(await jj(root, ["git", "root"]), from, to)).files,
};

const exec = promisify(execFile);
/** Nothing from the repository's configuration is executed. */
const SAFE = ["--no-pager", "--color=never", "--config=fsmonitor.backend=none", "--config=signing.behavior=drop"];
const MAX_BYTES = 64 * 1024 * 1024;

async function jj(root: string, args: readonly string[]): Promise<string> {
  const env = { PATH: process.env["PATH"], HOME: process.env["HOME"], LC_ALL: "C.UTF-8" };
  try {
    const { stdout } = await exec("jj", [...SAFE, "-R", root, ...args], { cwd: root, env, maxBuffer: MAX_BYTES });
    return stdout.trim();
  } catch (cause) {
    const { stderr = "", message } = cause as { stderr?: string; message: string };
    throw new SmoothError("VCS_FAILED", `jj ${args[0]} failed: ${(stderr || message).trim().split("\n")[0]}`, {
      cause,
      details: { stderr },
    });
  }
}
