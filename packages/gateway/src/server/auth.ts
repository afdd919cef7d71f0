import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Caller } from "@smooth/protocol/gateway";
import type { Sessions } from "./sessions.ts";

/** Who calls. Asked at the door, and again while a stream or socket stays open.
 *  A1. Being on the same machine proves nothing: the local listener asks for the same credentials as the tunnel. */

export interface Credentials {
  readonly bearer: string | null;
  /** The secret in the session cookie. */
  readonly session: string | null;
  readonly via: "local" | "tunnel";
}

/** null = nobody. Never throws, quick enough to be asked twice a second for every open stream. */
export type Authenticate = (credentials: Credentials) => Caller | null;

/** The owner by token, everyone else by session. A bearer that is wrong is not saved by a good cookie. */
export function createAuthenticate({
  ownerToken,
  ownerName,
  sessions,
}: {
  readonly ownerToken: string;
  readonly ownerName: string;
  readonly sessions: Pick<Sessions, "find">;
}): Authenticate {
  const owner = digest(ownerToken);
  return ({ bearer, session, via }) => {
    if (bearer !== null) {
      return timingSafeEqual(digest(bearer), owner) ? { name: ownerName, role: "owner", via } : null;
    }
    const found = session === null ? null : sessions.find(session);
    return found && { name: found.name, role: found.role, via };
  };
}

/** The owner's token: kept in a file only its user can read, made at the first start. */
export function readOrMintToken(path: string): string {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(path, mintSecret(), { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  return readFileSync(path, "utf8").trim();
}

/** 256 bits, safe in URLs, cookies and headers. */
export const mintSecret = (): string => randomBytes(32).toString("base64url");

export const digest = (secret: string): Buffer => createHash("sha256").update(secret).digest();
