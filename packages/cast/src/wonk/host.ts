import ipaddr from "ipaddr.js";

/** One spelling per host, and which hosts and addresses nobody may reach through the house.
 *  H1. Two spellings of one host give one name; a spelling that cannot be a public name gives null.
 *  H2. Anything that is not plainly a public unicast address counts as private, also inside an IPv6 wrapper. */

/** Lower case, IDNA, one trailing dot dropped; IP literals in any base become dotted quads or `[…]`. Null: not a host. */
export function normaliseHost(raw: string): string | null {
  if (raw === "" || raw.length > 260 || /[\s\p{Cc}/\\@?#%<>^|]/u.test(raw)) return null;
  if (!raw.startsWith("[") && raw.includes(":")) return null;
  const parsed = URL.canParse(`http://${raw}/`) ? new URL(`http://${raw}/`).hostname : "";
  const host = parsed.endsWith(".") ? parsed.slice(0, -1) : parsed;
  if (host === "" || host.length > 253) return null;
  return isIpLiteral(host) || host.split(".").every(isLabel) ? host : null;
}

export function isIpLiteral(host: string): boolean {
  return ipaddr.isValid(host.replace(/^\[|\]$/g, ""));
}

const PRIVATE_SUFFIXES = [
  "localhost",
  "local",
  "internal",
  "lan",
  "home",
  "corp",
  "intranet",
  "private",
  "home.arpa",
  "localdomain",
  "onion",
  "test",
  "invalid",
  "example",
  "arpa",
];

/** Names that mean this machine, this network or a cloud's metadata service, whatever they resolve to. */
export function isPrivateName(host: string): boolean {
  return !host.includes(".") || PRIVATE_SUFFIXES.some((suffix) => host === suffix || host.endsWith(`.${suffix}`));
}

/** H2 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const ip = ipaddr.process(address);
  if (ip.range() !== "unicast") return false;
  if (ip.kind() === "ipv4") return !EXTRA_V4.some(([range, bits]) => ip.match(ipaddr.parse(range), bits));
  return ip.match(ipaddr.parse("2000::"), 3) && !EXTRA_V6.some(([range, bits]) => ip.match(ipaddr.parse(range), bits));
}

/** Public by the letter, but cloud metadata or relays into other networks. */
const EXTRA_V4: readonly [string, number][] = [
  ["168.63.129.16", 32],
  ["100.64.0.0", 10],
  ["192.88.99.0", 24],
  ["198.18.0.0", 15],
  ["0.0.0.0", 8],
];
const EXTRA_V6: readonly [string, number][] = [
  ["2001::", 23],
  ["2002::", 16],
  ["2001:db8::", 32],
  ["3fff::", 20],
];

function isLabel(label: string): boolean {
  return /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label);
}
