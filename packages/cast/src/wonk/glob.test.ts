import fc from "fast-check";
import { expect, test } from "vitest";
import { globMatches, isGlob, protectsPath, wordMatches } from "./glob.ts";

test.each([
  ["/w/**", "/w/a/b", true],
  ["/w/**", "/w", true],
  ["/w/**", "/wx/a", false],
  ["/w/*", "/w/a/b", false],
  ["/**/x", "/x", true],
  ["/a/**/c", "/a/c", true],
  ["/a/?", "/a/b", true],
  ["/a/?", "/a/", false],
])("%s on %s: %s", (pattern, path, matches) => expect(globMatches(pattern, path)).toBe(matches));

test.each([
  [".ssh", "/home/u/.ssh/id", true],
  [".SSH", "/home/u/.ssh", true],
  [".git/hooks", "/w/.git/hooks/x", true],
  [".git/hooks", "/w/.git", false],
  ["*.pem", "/w/a.PEM", true],
  ["a/**/z", "/w/a/b/c/z/q", true],
  ["/etc", "/etc/passwd", true],
  ["/etc", "/w/etc", false],
])("%s protects %s: %s", (pattern, path, protects) => expect(protectsPath(pattern, path)).toBe(protects));

test("X1: brackets, braces and backslashes are refused; a hostile pattern ends", () => {
  expect(["[a]", "{a,b}", "a\\b", ""].map(isGlob)).toEqual([false, false, false, false]);
  expect(wordMatches("*a".repeat(200), "a".repeat(5_000).concat("b"))).toBe(false);
  expect(globMatches(`/${"**/a/".repeat(100)}b`, `/${"a/".repeat(500)}c`)).toBe(false);
});

test("the star agrees with a plain regular expression", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), maxLength: 8 });
  fc.assert(
    fc.property(text, fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 8 }), (pattern, word) => {
      const re = new RegExp(`^${pattern.replaceAll("*", ".*").replaceAll("?", ".")}$`);
      expect(wordMatches(pattern, word)).toBe(re.test(word));
    }),
  );
});
