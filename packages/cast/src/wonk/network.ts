import type { AccessRequest, Decision } from "@smooth/protocol/policy";
import { globMatches } from "./glob.ts";
import { isIpLiteral, isPrivateName, normaliseHost } from "./host.ts";
import type { HostRule, Policy } from "./policy.ts";

/** Who may be called.
 *  N1. Private names, IP literals and spellings we cannot normalise are denied before any rule is read.
 *  N2. What a request does not show (the path inside a tunnel, an ambiguous path) satisfies a deny or ask rule and fails an allow rule. */

type NetworkRequest = Extract<AccessRequest, { kind: "network" }>;

export function decideNetwork({ network }: Policy, request: NetworkRequest): Decision {
  const { host, port } = request;
  if (normaliseHost(host) !== host) return deny("network.malformed-host", "the host name is not in its normal form");
  if (isIpLiteral(host)) return deny("network.ip-literal", "addresses are refused; use the host's name");
  if (isPrivateName(host))
    return deny("network.private-name", `${host} names a private network, this machine or a metadata service`);

  const denied = network.deny.find((rule) => covers(rule, request, true));
  if (denied) return deny(`network.deny:${denied.domain}`, "the policy forbids this host");
  const asked = network.ask.find((rule) => covers(rule, request, true));
  if (asked) return ask(`network.ask:${asked.domain}`, request);
  const allowed = network.allow.find((rule) => covers(rule, request, false));
  if (allowed) return { kind: "allow", rule: `network.allow:${allowed.domain}` };
  if (port !== 80 && port !== 443) return deny("network.default-ports", `port ${port} needs a rule that names it`);
  return network.default === "ask"
    ? ask("network.default", request)
    : deny("network.default", "no rule names this host");
}

/** For `allow_examples` and `deny_examples`. */
export function ruleMatchesUrl(rule: HostRule, text: string): boolean {
  const url = new URL(text);
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  return covers(
    { ...rule, methods: undefined },
    { kind: "network", host: url.hostname, port, method: "GET", path: url.pathname },
    false,
  );
}

/** N2: `unknown` is what an unseen path counts as. */
function covers(rule: HostRule, { host, port, method, path }: NetworkRequest, unknown: boolean): boolean {
  if (!domainMatches(rule.domain, host) || !rule.ports.includes(port)) return false;
  const tunnel = method === "CONNECT";
  if (rule.methods && !rule.methods.includes(method) && !(tunnel && unknown)) return false;
  if (!rule.paths) return true;
  const seen = path === undefined || tunnel ? null : plainPath(path);
  return seen === null ? unknown : rule.paths.some((pattern) => globMatches(pattern, seen));
}

function domainMatches(domain: string, host: string): boolean {
  return domain.startsWith("*.") ? host.endsWith(domain.slice(1)) && host.length > domain.length - 1 : host === domain;
}

/** Null when servers could read the path in more than one way. */
function plainPath(path: string): string | null {
  const bare = path.split(/[?#]/)[0] ?? "";
  return bare.startsWith("/") && !/%2e|%2f|%5c|%25|%00|\\|\/\/|\/\.\.?(?:\/|$)|;/i.test(bare) ? bare : null;
}

function deny(rule: string, reason: string): Decision {
  return { kind: "deny", rule, reason };
}

function ask(rule: string, { host, port, method, path }: NetworkRequest): Decision {
  const what = method === "CONNECT" ? "open an encrypted connection to" : `send ${method} to`;
  return {
    kind: "ask",
    rule,
    question: `May the operator ${what} ${host}:${port}${path ? ` (${path.slice(0, 200)})` : ""}?`,
  };
}
