import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { sha256 } from "./sha256.ts";

test("gives what every other SHA-256 gives, at every length around the blocks", () => {
  const texts = [
    ...Array.from({ length: 200 }, (_, length) => "aé✓".repeat(70).slice(0, length)),
    "x".repeat(100_000),
    "\u0000",
  ];

  for (const text of texts) expect(sha256(text)).toBe(createHash("sha256").update(text).digest("hex"));
});
