import { createServer, type Server } from "node:http";
import process from "node:process";
import { SmoothError } from "@smooth/protocol/errors";
import { authTokenOf, LOOPBACK } from "./hosting/door.ts";

export interface ServerOptions {
  /** Default 7331. */
  readonly port?: number;
  /** Default 127.0.0.1: who listens elsewhere sets a token. */
  readonly host?: string;
  /** The path of the SQLite file with the runs; default: `smithers.db` in `rootDir`. */
  readonly db?: string;
  /** Default: the environment's SMITHERS_API_KEY; without either nobody is asked for one. */
  readonly authToken?: string;
  /** Default 1 MiB. */
  readonly maxBodyBytes?: number;
  /** Holds the workflow files, and what their tools work in; default: the working directory. */
  readonly rootDir?: string;
  /** Whether the commands of the bash tool may use the network; default false. */
  readonly allowNetwork?: boolean;
  /** Default 30,000 ms. */
  readonly headersTimeout?: number;
  /** Default 60,000 ms. */
  readonly requestTimeout?: number;
}

/** Many workflows and runs over HTTP; the routes are in hosting/server-app.ts, loaded when a server is started.
 *  Listens at once; `close()` lets its runs go, resumable. Throws CONFIG_INVALID for an open door: another interface and no token, or an empty one. */
export function startServer(options: ServerOptions = {}): Server {
  const { port = 7331, host = "127.0.0.1", rootDir = process.cwd(), maxBodyBytes = 1_048_576 } = options;
  const { headersTimeout = 30_000, requestTimeout = 60_000, allowNetwork = false, db } = options;
  const authToken = authTokenOf(options.authToken);
  if (authToken === undefined && !LOOPBACK.has(host))
    throw new SmoothError("CONFIG_INVALID", `a server on ${host} needs an authToken: it runs workflow files`);
  const opening = import("./hosting/server-app.ts").then(({ openServerApp }) =>
    openServerApp({ rootDir, db, authToken, maxBodyBytes, allowNetwork }),
  );
  const connectionsCheckingInterval = Math.min(1_000, headersTimeout, requestTimeout);
  const server = createServer({ headersTimeout, requestTimeout, connectionsCheckingInterval }, (request, response) => {
    void opening.then(({ listener }) => listener(request, response));
  });
  opening.catch((error: unknown) => {
    server.close();
    server.emit("error", error);
  });
  server.once("close", () => void opening.then((app) => app[Symbol.asyncDispose]()).catch(() => undefined));
  return server.listen(port, host);
}
