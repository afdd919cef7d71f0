import { Slug } from "@smooth/protocol/ids";

/** What may pass the tunnel. Every function is total: hostile input is refused or cleaned, never thrown at.
 *  Y1. A request names exactly one slug under the base domain, or nothing is served (421).
 *  Y2. Inbound: nothing a viewer writes can look like the edge's, the host's or a proxy's own word.
 *  Y3. Outbound: an origin can neither speak for the edge nor reach beyond its own host name.
 *  Y4. Methods and paths that are not plain origin-form requests are refused before any HTTP library sees them. */

export type Header = [string, string];

export type Door =
  | { readonly kind: "slug"; readonly slug: Slug }
  | { readonly kind: "connect" }
  | { readonly kind: "wrong-host" };

/** Y1. `host` as the client sent it: `<slug>.<base>`, `connect.<base>`, each with an optional port. */
export function doorOf(host: string, baseDomain: string): Door {
  const [, name, port] = /^([a-z0-9.-]+?)(?::(\d{1,5}))?$/.exec(host.toLowerCase()) ?? [];
  if (!name?.endsWith(`.${baseDomain}`) || Number(port ?? 0) > 65_535) return { kind: "wrong-host" };
  const label = name.slice(0, -baseDomain.length - 1);
  if (label === "connect") return { kind: "connect" };
  const slug = Slug.safeParse(label);
  return slug.success ? { kind: "slug", slug: slug.data } : { kind: "wrong-host" };
}

const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Names by which proxies tell an application who the client or the user is. */
const IDENTITY =
  /^(?:forwarded|via|x-forwarded-.*|cf-.*|cdn-loop|x-th-.*|x-real-ip|x-client-ip|x-cluster-client-ip|true-client-ip|fastly-client-ip|x-original-.*|x-rewrite-url|x-remote-.*|remote-user|x-user.*|x-auth-request-.*|x-authenticated-.*|x-goog-authenticated-.*|x-goog-iap-.*|x-ms-client-principal.*|x-amzn-oidc-.*|x-webauth-.*|tailscale-.*)$/;
const SOCKET = /^sec-websocket-(?!protocol$)/;
const NOT_FOR_VIEWERS = /^(?:x-th-.*|alt-svc|strict-transport-security|public-key-pins.*|expect-ct)$/;

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Visible characters, space, tab and obs-text; no CR, LF, NUL or other control character. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

function passing(headers: Iterable<Header>, strips: (name: string) => boolean): Header[] {
  const all = [...headers].map(([name, value]): Header => [name.toLowerCase(), value]);
  const listed = new Set(
    all.flatMap(([name, value]) => (name === "connection" ? value.toLowerCase().split(/\s*,\s*/) : [])),
  );
  return all.filter(
    ([name, value]) =>
      TOKEN.test(name) && FIELD_VALUE.test(value) && !HOP_BY_HOP.has(name) && !listed.has(name.trim()) && !strips(name),
  );
}

/** Y2. Underscore variants go too: many applications read `x_th_via` as `x-th-via`. */
export function inbound(headers: Iterable<Header>): Header[] {
  return passing(headers, (name) => {
    const dashed = name.replaceAll("_", "-");
    return HOP_BY_HOP.has(dashed) || IDENTITY.test(dashed) || SOCKET.test(dashed);
  });
}

/** Y3. */
export function outbound(headers: Iterable<Header>): Header[] {
  const kept = passing(headers, (name) => NOT_FOR_VIEWERS.test(name));
  const streams = kept.some(([name, value]) => name === "content-type" && /^text\/event-stream\b/i.test(value));
  const cleaned = kept.map(([name, value]): Header => [name, name === "set-cookie" ? hostOnly(value) : value]);
  return streams ? [...cleaned, ["cache-control", "no-transform"], ["x-accel-buffering", "no"]] : cleaned;
}

/** A cookie of this host name alone: without `Domain` no sibling slug ever receives it. */
function hostOnly(setCookie: string): string {
  const [pair = "", ...attributes] = setCookie.split(";");
  return [pair, ...attributes.filter((attribute) => !/^\s*domain\s*(?:=|$)/i.test(attribute))].join(";");
}

/** Y4. */
export function isPlainRequest(method: string, path: string): boolean {
  if (!TOKEN.test(method) || /^(?:connect|trace|track)$/i.test(method)) return false;
  return /^\/(?![/\\])[\x21-\x7e]*$|^\/$/.test(path);
}

/** A page of another site may not open a socket with the viewer's cookies. Clients that are no browser send no Origin. */
export function isOwnOrigin(origin: string | null, host: string): boolean {
  if (origin === null) return true;
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}
