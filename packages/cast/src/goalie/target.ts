import { normaliseHost } from "../wonk/host.ts";

/** Whom a proxy request is for.
 *  T1. One request names one host: the request line and the Host header agree, or it is refused.
 *  T2. User info, other schemes and spellings we cannot normalise are refused. */

export interface Target {
  readonly host: string;
  readonly port: number;
  /** Absent in a tunnel. */
  readonly path?: string;
}
export type TargetReading =
  | { readonly kind: "target"; readonly target: Target }
  | { readonly kind: "refused"; readonly reason: string };

/** `GET http://host/path`, or `GET /path` with a Host header. */
export function readTarget(url: string, hostHeader: string | undefined): TargetReading {
  const named = hostHeader === undefined ? null : splitAuthority(hostHeader, 80);
  if (url.startsWith("/"))
    return named ? { kind: "target", target: { ...named, path: url } } : refused("the Host header names no host");
  const match = /^http:\/\/([^/?#]*)([/?][^#]*)?$/i.exec(url);
  if (!match) return refused("a proxy takes absolute http:// URLs or CONNECT");
  const authority = splitAuthority(match[1] ?? "", 80);
  if (!authority) return refused("the URL names no host we can read");
  if (hostHeader !== undefined && (named?.host !== authority.host || named.port !== authority.port))
    return refused("the Host header and the URL name different hosts");
  const rest = match[2] ?? "/";
  return { kind: "target", target: { ...authority, path: rest.startsWith("/") ? rest : `/${rest}` } };
}

/** `CONNECT host:port` */
export function readAuthority(authority: string): TargetReading {
  const target = splitAuthority(authority, null);
  return target ? { kind: "target", target } : refused("CONNECT takes host:port");
}

function splitAuthority(authority: string, defaultPort: number | null): Target | null {
  const match = /^(\[[^\]]*\]|[^:@]*)(?::(\d{1,5}))?$/.exec(authority);
  const host = normaliseHost(match?.[1] ?? "");
  const port = match?.[2] === undefined ? defaultPort : Number(match[2]);
  return host === null || port === null || port < 1 || port > 65_535 ? null : { host, port };
}

function refused(reason: string): TargetReading {
  return { kind: "refused", reason };
}
