import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Ids } from "@smooth/platform/ports";
import { digest, replaceFile } from "../image/image-store.ts";
import { bundleGuest } from "../image/initrd.ts";

/** The files that every guest on the host's kernel shares, named by what is in them. */

export interface SharedKernelOptions {
  /** The bundled agent. */
  readonly cacheDir: string;
  /** One folder per running guest. */
  readonly runDir: string;
  readonly nodeBinary: string;
  readonly clock: Clock;
  readonly ids: Ids;
}

export async function agentFile(cacheDir: string): Promise<string> {
  return keepFile(cacheDir, "agent.mjs", await bundleGuest(join(import.meta.dirname, "../guest/inherited.ts")));
}

export async function keepFile(folder: string, name: string, content: Uint8Array): Promise<string> {
  const path = join(folder, `${digest([content])}-${name}`);
  await mkdir(folder, { recursive: true });
  const there = await stat(path).then(
    () => true,
    () => false,
  );
  if (!there) await replaceFile(path, content);
  return path;
}
