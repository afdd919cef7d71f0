import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import { SmoothError } from "@smooth/protocol/errors";

export async function runTool(program: string, args: readonly string[], cwd?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { cwd, maxBuffer: 16 * 1024 * 1024, encoding: "utf8" }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      const last = stderr.trim().split("\n").slice(-3).join(" | ").slice(-500);
      reject(new SmoothError("SANDBOX_UNAVAILABLE", `${program} failed: ${last || error.message}`, { cause: error }));
    });
  });
}

/** The first place in PATH (and the administrator's folders) that has this program. */
export async function findProgram(name: string, path = process.env["PATH"] ?? ""): Promise<string | null> {
  for (const folder of new Set([...path.split(":"), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"])) {
    if (folder === "") continue;
    const found = await access(join(folder, name), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return join(folder, name);
  }
  return null;
}
