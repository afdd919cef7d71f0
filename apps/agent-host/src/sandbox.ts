import { chown, readdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import type { PrepareSandbox } from "@smooth/cli/daemon";
import { memoryLog } from "@smooth/platform/testing";
import { SmoothError } from "@smooth/protocol/errors";
import { readEnv } from "./env.ts";
import { openDriver } from "./wiring/driver.ts";

/** Builds the guest image before any host needs it. Under sudo what was built belongs to who called sudo: only the building
 *  needs root. */
export const prepareSandbox: PrepareSandbox = async (onProgress) => {
  const env = readEnv(process.env);
  const { images } = env;
  const driver = openDriver(env, memoryLog());
  const probe = await driver.probe();
  if (probe.kind === "unusable")
    throw new SmoothError("SANDBOX_UNAVAILABLE", `${probe.reasons.join("; ")}; to fix it: ${probe.fixes.join("; ")}`);
  await driver.prepare(({ message, percent }) => onProgress(message, percent));
  const owner = { uid: Number(process.env["SUDO_UID"]), gid: Number(process.env["SUDO_GID"]) };
  if (process.getuid?.() === 0 && owner.uid > 0) await giveTo(images, owner);
  return { images };
};

async function giveTo(dir: string, { uid, gid }: { readonly uid: number; readonly gid: number }): Promise<void> {
  await chown(dir, uid, gid);
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) await giveTo(path, { uid, gid });
    else if (entry.isFile()) await chown(path, uid, gid);
  }
}
