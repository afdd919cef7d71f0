import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { SmoothError } from "@smooth/protocol/errors";
import { runTool } from "./commands.ts";

/** The stock cloud kernel of the distribution. Its package name carries an ABI number that moves, so it is asked for. */
export async function resolveKernelPackage(): Promise<string> {
  const meta = process.arch === "arm64" ? "linux-image-cloud-arm64" : "linux-image-cloud-amd64";
  const answer = await runTool("apt-cache", ["depends", meta]);
  const name = /Depends: (linux-image-\S+)/.exec(answer)?.[1];
  if (name === undefined)
    throw new SmoothError("SANDBOX_UNAVAILABLE", `apt knows no ${meta}; run \`apt-get update\` as root`);
  return name;
}

/** Downloads and unpacks the package into `folder`. Complete or absent: it is renamed into place. */
export async function fetchKernel(packageName: string, folder: string): Promise<void> {
  const draft = `${folder}.draft`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(join(draft, "download"), { recursive: true });
  await runTool("apt-get", ["download", "-o", "APT::Sandbox::User=root", packageName], join(draft, "download"));
  const [archive] = await readdir(join(draft, "download"));
  if (archive === undefined) throw new SmoothError("SANDBOX_UNAVAILABLE", `apt downloaded no ${packageName}`);
  await runTool("dpkg-deb", ["-x", join(draft, "download", archive), draft]);
  await rm(join(draft, "download"), { recursive: true });
  await rename(draft, folder);
}
