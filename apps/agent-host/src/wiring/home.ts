import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { makeHome, writePrivate } from "@smooth/cli/host-file";
import { createHostKey, type HostKey } from "@smooth/tunnel/host-key";
import { z } from "zod";

/** The host's home folder: who this host is and the secrets it keeps.
 *  H1. Secret files are 0600 in a 0700 folder, written to a new name and renamed, so a reader never sees half a file. */

const DeviceKey = z.object({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: z.string(), d: z.string() });

export interface Home {
  readonly dir: string;
  readonly path: (...parts: string[]) => string;
  /** Lets the local CLI in; every request carries it. */
  readonly ownerToken: string;
  /** Proves this host to the dashboard and the rendezvous. */
  readonly deviceKey: HostKey;
}

export async function openHome(dir: string): Promise<Home> {
  makeHome(dir);
  const path = (...parts: string[]) => join(dir, ...parts);
  return {
    dir,
    path,
    ownerToken: once(path("owner-token"), () => randomBytes(32).toString("base64url")),
    deviceKey: DeviceKey.parse(
      JSON.parse(await onceAsync(path("device-key.json"), async () => JSON.stringify(await createHostKey()))),
    ),
  };
}

function once(file: string, make: () => string): string {
  if (!existsSync(file)) writePrivate(file, make());
  return readFileSync(file, "utf8");
}

async function onceAsync(file: string, make: () => Promise<string>): Promise<string> {
  if (!existsSync(file)) writePrivate(file, await make());
  return readFileSync(file, "utf8");
}
