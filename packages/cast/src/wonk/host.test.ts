import { describe, expect, test } from "vitest";
import { isPrivateName, isPublicAddress, normaliseHost } from "./host.ts";

describe("H1 one spelling per host", () => {
  test.each([
    ["Example.ORG", "example.org"],
    ["example.org.", "example.org"],
    ["bücher.example.com", "xn--bcher-kva.example.com"],
    ["ｅxample.org", "example.org"],
    ["0x7f000001", "127.0.0.1"],
    ["127.1", "127.0.0.1"],
    ["[::FFFF:127.0.0.1]", "[::ffff:7f00:1]"],
    ["example.org..", null],
    ["a b.org", null],
    ["a\0.org", null],
    ["u@example.org", null],
    ["example.org:80", null],
    ["-bad-.org", null],
    ["a..b", null],
    ["", null],
    [`${"a".repeat(64)}.org`, null],
  ])("%j → %j", (raw, host) => expect(normaliseHost(raw)).toBe(host));
});

describe("H2 only plainly public addresses are public", () => {
  test.each(["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111"])("public: %s", (ip) =>
    expect(isPublicAddress(ip)).toBe(true),
  );
  test.each([
    "127.0.0.1",
    "0.0.0.0",
    "0.1.2.3",
    "10.1.1.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "203.0.113.1",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "100::1",
    "nonsense",
    "",
  ])("private: %s", (ip) => expect(isPublicAddress(ip)).toBe(false));
});

test("names of this machine and network are private", () => {
  expect(["localhost", "a.localhost", "router.lan", "x.internal", "host"].every(isPrivateName)).toBe(true);
  expect(isPrivateName("internal.example.com")).toBe(false);
});
