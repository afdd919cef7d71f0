import { execFile } from "node:child_process";
import process from "node:process";
import { promisify } from "node:util";
import { SmoothError } from "@smooth/protocol/errors";

/** One jj process in `root`, which may be a workspace: argv only, a scrubbed environment, nothing from the repository's configuration
 *  executed. Throws VCS_FAILED. */

const exec = promisify(execFile);
const SAFE = ["--no-pager", "--color=never", "--config=fsmonitor.backend=none", "--config=signing.behavior=drop"];
const MAX_BYTES = 64 * 1024 * 1024;
const PASSED_ON = ["PATH", "HOME", "XDG_CONFIG_HOME", "JJ_CONFIG"];

export async function jj(root: string, args: readonly string[]): Promise<string> {
  const env = { ...Object.fromEntries(PASSED_ON.map((name) => [name, process.env[name]])), LC_ALL: "C.UTF-8" };
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
