import fc from "fast-check";
import { cpuMs } from "@smooth/platform/testing/cpu";
import { describe, expect, test } from "vitest";
import type { AccessRequest } from "@smooth/protocol/policy";
import { decide, explain } from "./decide.ts";
import { defaultPolicy } from "./default-policy.ts";
import { denyAll, loadPolicy, type Policy, withDenies } from "./policy.ts";
import { scopePearls } from "./pearl-scope.ts";

const coding = defaultPolicy({ repoRoot: "/workspace", pearlId: "th-aaaaaa" });
const net = (host: string, more: Partial<Extract<AccessRequest, { kind: "network" }>> = {}): AccessRequest => ({
  kind: "network",
  host,
  port: 443,
  method: "GET",
  path: "/",
  ...more,
});
const policyOf = (toml: string): Policy => {
  const loaded = loadPolicy(`[metadata]\nname = "t"\n${toml}`);
  if (loaded.kind === "broken") throw new TypeError(loaded.reason);
  return loaded.policy;
};
const kindOf = (policy: Policy, request: AccessRequest): string => decide(policy, request).kind;

const ONE_OF_EACH: AccessRequest[] = [
  net("example.org"),
  { kind: "tool", name: "read" },
  { kind: "read", path: "/workspace/a" },
  { kind: "write", path: "/workspace/a" },
  { kind: "command", command: "ls" },
  { kind: "pearl", pearlId: "th-aaaaaa", access: "read" },
];

describe("W1 default deny", () => {
  test("an empty policy denies every kind of request, and says by which rule", () => {
    for (const request of ONE_OF_EACH)
      expect(decide(denyAll(), request)).toMatchObject({ kind: "deny", rule: expect.stringMatching(/./) as string });
  });

  test.each([
    "",
    "not toml [",
    "[network]\ndefault='allow'",
    "[metadata]\nname='x'\n[tools]\nallow='*'",
    "[metadata]\nname='x'\nsurprise=1",
    "[metadata]\nname='x'\n[filesystem]\nreadable=['/[a']",
  ])("a broken file %j denies all", (toml) => {
    const loaded = loadPolicy(toml);
    expect(loaded.kind).toBe("broken");
    for (const request of ONE_OF_EACH) expect(kindOf(loaded.policy, request)).toBe("deny");
  });

  test("garbage instead of a policy or a request denies and never throws", () => {
    fc.assert(
      fc.property(fc.anything(), fc.constantFrom(...ONE_OF_EACH), (junk, request) => {
        expect(decide(junk as Policy, request).kind).toBe("deny");
        expect(decide(coding, junk as AccessRequest).kind).toBe("deny");
      }),
    );
  });

  test("W2: a policy that is nearly whole is no policy", () => {
    const nearly = { ...coding, surprise: true };
    expect(decide(nearly as Policy, { kind: "tool", name: "read" })).toMatchObject({
      kind: "deny",
      rule: "policy.broken",
    });
  });

  test("garbage text is never a policy that allows", () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(...ONE_OF_EACH), (text, request) => {
        expect(decide(loadPolicy(text).policy, request).kind).toBe("deny");
      }),
    );
  });
});

describe("network", () => {
  const policy = policyOf(`
[network]
default = "ask"
deny = [{ domain = "*.evil.example.net" }, { domain = "api.shop.com", paths = ["/admin/**"] }]
ask = [{ domain = "careful.org" }]
[[network.allow]]
domain = "*.npmjs.org"
[[network.allow]]
domain = "api.shop.com"
methods = ["GET"]
paths = ["/v1/**"]
[[network.allow]]
domain = "git.example.com"
ports = [22]
[[network.allow]]
domain = "careful.org"
`);

  test("exact hosts and *.suffix match whole labels only", () => {
    expect(kindOf(policy, net("registry.npmjs.org"))).toBe("allow");
    expect(kindOf(policy, net("npmjs.org"))).toBe("ask");
    expect(kindOf(policy, net("evilnpmjs.org"))).toBe("ask");
    expect(kindOf(policy, net("registry.npmjs.org.attacker.io"))).toBe("ask");
  });

  test("methods, paths and ports are enforced", () => {
    expect(kindOf(policy, net("api.shop.com", { path: "/v1/items?x=1" }))).toBe("allow");
    expect(kindOf(policy, net("api.shop.com", { path: "/v2/items" }))).toBe("ask");
    expect(kindOf(policy, net("api.shop.com", { path: "/v1/items", method: "POST" }))).toBe("ask");
    expect(kindOf(policy, net("api.shop.com", { path: "/v1/items", port: 8080 }))).toBe("deny");
    expect(kindOf(policy, net("git.example.com", { port: 22, method: "CONNECT", path: undefined }))).toBe("allow");
  });

  test("N2: a path that can be read in two ways is not allowed by a path rule", () => {
    for (const path of ["/v1/../admin", "/v1/%2e%2e/admin", "/v1//x", "/v1/%2fadmin", "/v1\\..\\admin", "/v1/;x"])
      expect(kindOf(policy, net("api.shop.com", { path }))).toBe("deny");
  });

  test("N2: a tunnel hides its path, so the path rule's deny holds and its allow does not", () => {
    expect(kindOf(policy, net("api.shop.com", { method: "CONNECT", path: undefined }))).toBe("deny");
  });

  test("W3: deny beats ask beats allow", () => {
    expect(kindOf(policy, net("x.evil.example.net"))).toBe("deny");
    expect(kindOf(policy, net("careful.org"))).toBe("ask");
  });

  test.each([
    "127.0.0.1",
    "[::1]",
    "169.254.169.254",
    "10.0.0.1",
    "8.8.8.8",
    "0x7f.1",
    "2130706433",
    "localhost",
    "api.localhost",
    "metadata.google.internal",
    "printer.local",
    "intranet",
    "EXAMPLE.org",
    "example.org.",
    "exa mple.org",
    "user@example.org",
    "ex\0ample.org",
    "model.th.internal",
  ])("N1: %j is denied even when a rule allows everything it can", (host) => {
    expect(kindOf(policy, net(host))).toBe("deny");
  });

  test("examples that a rule does not fulfil break the policy", () => {
    const rule = (examples: string): string =>
      loadPolicy(`[metadata]\nname="t"\n[[network.allow]]\ndomain="*.npmjs.org"\n${examples}`).kind;
    expect(rule(`allow_examples=["https://registry.npmjs.org/x"]`)).toBe("policy");
    expect(rule(`allow_examples=["https://npmjs.org/x"]`)).toBe("broken");
    expect(rule(`deny_examples=["https://registry.npmjs.org/x"]`)).toBe("broken");
  });

  test("a star over a whole top-level domain is not a rule", () => {
    expect(loadPolicy(`[metadata]\nname="t"\n[[network.allow]]\ndomain="*.com"`).kind).toBe("broken");
  });

  test("an organisation's denies cannot be waived by policy or grant", () => {
    const strict = withDenies(policy, policyOf(`[[network.deny]]\ndomain = "registry.npmjs.org"`));
    const request = net("registry.npmjs.org");
    expect(decide(strict, request, [{ id: "g", request }]).kind).toBe("deny");
  });
});

describe("W3 grants", () => {
  test("a grant turns an ask into an allow and names itself", () => {
    const request = net("example.org");
    expect(decide(coding, request).kind).toBe("ask");
    expect(decide(coding, request, [{ id: "ask-1", request }])).toEqual({ kind: "allow", rule: "grant:ask-1" });
    expect(
      decide(coding, net("example.org", { method: "HEAD", path: "/other" }), [{ id: "ask-1", request }]).kind,
    ).toBe("allow");
  });

  test("a grant reaches no other host, port, method or command, and never a deny", () => {
    const grants = [
      { id: "g", request: net("example.org") },
      { id: "c", request: { kind: "command", command: "git push" } as const },
      { id: "p", request: net("10.0.0.1") },
    ];
    for (const request of [
      net("www.example.org"),
      net("example.org", { port: 80 }),
      net("example.org", { method: "POST" }),
      net("example.org", { method: "CONNECT" }),
    ])
      expect(decide(coding, request, grants).kind).toBe("ask");
    expect(decide(coding, { kind: "command", command: "git push" }, grants).kind).toBe("allow");
    expect(decide(coding, { kind: "command", command: "git push --force" }, grants).kind).toBe("ask");
    expect(decide(coding, net("10.0.0.1"), grants).kind).toBe("deny");
  });
});

describe("files", () => {
  test.each([
    ["read", "/workspace/src/a.ts", "allow"],
    ["write", "/workspace/src/a.ts", "allow"],
    ["write", "/etc/passwd", "deny"],
    ["write", "/workspaces/x", "deny"],
    ["read", "/workspace/.env", "deny"],
    ["read", "/workspace/packages/a/.ENV", "deny"],
    ["read", "/workspace/.env.example", "ask"],
    ["read", "/home/u/.ssh/id_ed25519", "deny"],
    ["read", "/workspace/tls/server.PEM", "deny"],
    ["read", "/home/u/.smooth/providers.json", "deny"],
    ["write", "/workspace/.git/hooks/pre-commit", "deny"],
    ["write", "/workspace/.github/workflows/ci.yml", "ask"],
    ["write", "/workspace/.smooth/wonk-allow.toml", "ask"],
    ["write", "/workspace/src/credentials.ts", "allow"],
    ["write", "/workspace/../etc/passwd", "deny"],
    ["write", "workspace/a", "deny"],
    ["write", "/workspace//a", "deny"],
    ["write", "/workspace/a\0b", "deny"],
  ] as const)("%s %s → %s", (kind, path, answer) => expect(kindOf(coding, { kind, path })).toBe(answer));

  test("a reviewer reads but does not write", () => {
    const review = defaultPolicy({ repoRoot: "/workspace", task: "review" });
    expect(kindOf(review, { kind: "read", path: "/workspace/a" })).toBe("allow");
    expect(kindOf(review, { kind: "write", path: "/workspace/a" })).toBe("deny");
    expect(kindOf(review, { kind: "tool", name: "write" })).toBe("deny");
  });
});

describe("pearls", () => {
  const edge = (from: string, to: string, type: "blocks" | "parent-child" = "blocks") => ({ from, to, type }) as never;

  test("scope: own and sub-pearls are writable, two steps of dependencies readable, the rest closed", () => {
    const scoped = scopePearls(coding, "th-aaaaaa", [
      edge("th-aaaaaa", "th-bbbbbb"),
      edge("th-bbbbbb", "th-cccccc"),
      edge("th-cccccc", "th-dddddd"),
      edge("th-aaaaaa", "th-child1", "parent-child"),
    ]);
    const can = (pearlId: string, access: "read" | "write"): string =>
      kindOf(scoped, { kind: "pearl", pearlId, access });
    expect([can("th-aaaaaa", "write"), can("th-child1", "write"), can("th-cccccc", "read")]).toEqual([
      "allow",
      "allow",
      "allow",
    ]);
    expect([can("th-bbbbbb", "write"), can("th-dddddd", "read"), can("th-zzzzzz", "read")]).toEqual([
      "deny",
      "deny",
      "deny",
    ]);
  });

  test("B1: a cycle ends", () => {
    const scoped = scopePearls(coding, "th-aaaaaa", [edge("th-aaaaaa", "th-bbbbbb"), edge("th-bbbbbb", "th-aaaaaa")]);
    expect(scoped.pearls.readable).toEqual(["th-aaaaaa", "th-bbbbbb"]);
  });
});

test("explain names the rule and the way on", () => {
  expect(explain(decide(coding, { kind: "tool", name: "telegram" }))).toContain("tools.default");
  expect(explain(decide(coding, net("example.org")))).toContain("Waits for a person (network.default)");
});

test("a decision costs less than a millisecond of CPU", () => {
  const asked = Array.from({ length: 2_000 }, (_unused, index) =>
    index % 2
      ? net(`h${index}.example.org`)
      : ({ kind: "command", command: `cd pkg && npm test -- --grep ${index} | tee out.log && git diff` } as const),
  );

  const spentMs = cpuMs(() => {
    for (const one of asked) decide(coding, one);
  });

  expect(spentMs / asked.length).toBeLessThan(1);
});
