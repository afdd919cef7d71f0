import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeFolder } from "@smooth/platform/node/home";
import { SmoothError } from "@smooth/protocol/errors";
import { z } from "zod";

/** How a command finds the host: `<home>/host.json`, written by the daemon, readable by its user alone, gone when it stops. */

export const HostFile = z.object({ url: z.url(), token: z.string().min(1), pid: z.int().positive() });
export type HostFile = z.infer<typeof HostFile>;

export function readHostFile(home: string): HostFile | null {
  const text = readOrNull(hostFilePath(home));
  if (text === null) return null;
  try {
    return HostFile.parse(JSON.parse(text));
  } catch (cause) {
    throw new SmoothError("CONFIG_INVALID", `${hostFilePath(home)} is not a host file; remove it`, { cause });
  }
}

export const writeHostFile = (home: string, file: HostFile): void =>
  writePrivate(hostFilePath(home), `${JSON.stringify(file)}\n`);

export const removeHostFile = (home: string): void => rmSync(hostFilePath(home), { force: true });

/** Where it is not there yet. Throws CONFIG_INVALID. */
export function makeHome(home: string): void {
  try {
    makeFolder(home);
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const wayOut = "set SMOOTH_HOME to a folder that you may write to";
    throw new SmoothError(
      "CONFIG_INVALID",
      `${home} is to hold the host's files and cannot be made (${why}); ${wayOut}`,
      {
        cause,
      },
    );
  }
}

/** Whole or not at all, mode 0600. */
export function writePrivate(path: string, text: string): void {
  makeHome(dirname(path));
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, path);
}

export function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new SmoothError("CONFIG_INVALID", `${path} cannot be read (${(error as NodeJS.ErrnoException).code})`, {
      cause: error,
    });
  }
}

const hostFilePath = (home: string): string => join(home, "host.json");
