import { createGatewayClient, type GatewayClient } from "@smooth/gateway/client";
import { smoothHome } from "@smooth/platform/node/home";
import { SmoothError } from "@smooth/protocol/errors";
import { makeHome, readHostFile } from "./host-file.ts";
import { progress } from "./output.ts";

/** A client of the host that runs on this machine for this user. */
export function connect(): GatewayClient {
  const home = smoothHome(process.env);
  const host = readHostFile(home);
  if (host === null) throw offline(home);
  return createGatewayClient({
    baseUrl: host.url,
    token: host.token,
    onLine: (trouble) => progress(trouble === null ? "" : `${trouble.message}; trying again…`),
  });
}

/** A home that cannot be made is the better reason: no host can ever run there. */
function offline(home: string): SmoothError {
  makeHome(home);
  return new SmoothError("HOST_OFFLINE", `no host is running (nothing at ${home}/host.json)`);
}
