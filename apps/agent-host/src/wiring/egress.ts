import { lookup } from "node:dns/promises";
import type { HostRule } from "@smooth/cast/wonk/policy";
import { isPublicAddress } from "@smooth/cast/wonk/host";

/** Names that this host resolves to its own machine: the DEMO's documentation site, and what a test plays as the internet.
 *  E1. Only the listed `host:port` is mapped; every other name must resolve to public addresses, as always. */

export interface Egress {
  resolve(host: string): Promise<readonly string[]>;
  addressAllowed(address: string): boolean;
  /** The listed names have a port of their own; Wonk asks a person about them like about any public site. */
  readonly askRules: readonly Pick<HostRule, "domain" | "ports">[];
}

export function openEgress(mapped: Readonly<Record<string, string>>): Egress {
  const entries = Object.entries(mapped).map(([name, address]) => {
    const [host = "", port = "80"] = name.split(":");
    return { host, port: Number(port), address };
  });
  return {
    async resolve(host) {
      const own = entries.find((entry) => entry.host === host);
      if (own) return [own.address];
      const found = await lookup(host, { all: true });
      return found.map(({ address }) => address).filter(isPublicAddress); // E1
    },
    addressAllowed: (address) => isPublicAddress(address) || entries.some((entry) => entry.address === address),
    askRules: entries.map(({ host, port }) => ({ domain: host, ports: [port] })),
  };
}
