/** Where a server may listen, what its token is, and which Host a request of this machine has.
 *  D1. An empty secret is no secret: it is refused, for it would let everybody in.
 *  D2. Where nobody is asked who he is, a request names this machine as its host: a web page whose name was bent to it names its own. */
import process from "node:process";
import { SmoothError } from "@smooth/protocol/errors";

export const LOOPBACK: ReadonlySet<string> = new Set(["127.0.0.1", "::1", "localhost"]);

/** D1. The option, else the environment's SMITHERS_API_KEY; undefined: nobody is asked for one. Throws CONFIG_INVALID. */
export function authTokenOf(option: string | undefined): string | undefined {
  const token = option ?? process.env["SMITHERS_API_KEY"];
  if (token === undefined || token.trim() !== "") return token;
  const from = option === undefined ? "the environment's SMITHERS_API_KEY" : "the option `authToken`";
  throw new SmoothError(
    "CONFIG_INVALID",
    `${from} is empty: give it a secret, or leave it out to serve 127.0.0.1 only`,
  );
}

/** D2 */
export const isThisMachine = (host: string | null | undefined): boolean =>
  /^(127\.0\.0\.1|\[::1\]|localhost)(:\d+)?$/i.test(host ?? "");
