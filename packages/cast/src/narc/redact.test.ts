import { seededRandom } from "@smooth/platform/testing";
import fc from "fast-check";
import { cpuMs } from "@smooth/platform/testing/cpu";
import { describe, expect, test } from "vitest";
import { createRedactor } from "./redact.ts";

const random = seededRandom(7);
const chars = (alphabet: string, size: number): string =>
  Array.from({ length: size }, () => alphabet.charAt(Math.floor(random() * alphabet.length))).join("");
const ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HEX = "0123456789abcdef";

/** Generated, never real. Split so that no scanner takes this file for a leak. */
const MAKERS: Record<string, () => string> = {
  "anthropic-key": () => `sk-${"ant"}-api03-${chars(`${ALNUM}_-`, 93)}AA`,
  "openai-key": () => `sk-${"proj"}-${chars(ALNUM, 48)}`,
  "github-token": () => `gh${"p"}_${chars(ALNUM, 36)}`,
  "gitlab-token": () => `gl${"pat"}-${chars(`${ALNUM}_-`, 20)}`,
  "aws-access-key": () => `AK${"IA"}${chars("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)}`,
  "google-key": () => `AI${"za"}${chars(`${ALNUM}_-`, 35)}`,
  "slack-token": () => `xo${"xb"}-${chars("0123456789", 12)}-${chars(ALNUM, 24)}`,
  "stripe-key": () => `sk_${"live"}_${chars(ALNUM, 24)}`,
  "npm-token": () => `np${"m_"}${chars(ALNUM, 36)}`,
  "huggingface-token": () => `h${"f_"}${chars(ALNUM, 34)}`,
  "sendgrid-key": () => `S${"G."}${chars(`${ALNUM}_-`, 22)}.${chars(`${ALNUM}_-`, 43)}`,
  "digitalocean-token": () => `do${"p_v1_"}${chars(HEX, 64)}`,
  "databricks-token": () => `da${"pi"}${chars(HEX, 32)}`,
  "telegram-token": () => `${chars("123456789", 9)}:A${"A"}${chars(`${ALNUM}_-`, 33)}`,
  jwt: () => `eyJ${chars(ALNUM, 30)}.eyJ${chars(ALNUM, 80)}.${chars(`${ALNUM}_-`, 43)}`,
  "private-key": () =>
    `-----BEGIN RSA ${"PRIVATE"} KEY-----\n${chars(ALNUM, 64)}\n${chars(ALNUM, 64)}\n-----END RSA ${"PRIVATE"} KEY-----`,
  "url-password": () => `postgres://app:${chars(ALNUM, 16)}@db.example.org/main`,
  authorization: () => `Authorization: Bearer ${chars(ALNUM, 40)}`,
  "assigned-secret": () => `AWS_SECRET_ACCESS_KEY=${chars(`${ALNUM}+/`, 40)}`,
};
const valueOf = (kind: string, text: string): string =>
  kind === "url-password" ? text.slice(15, 31) : (/[ =]([A-Za-z0-9+/]{40})$/.exec(text)?.[1] ?? text);

describe("R1 vendor formats", () => {
  test.each(Object.entries(MAKERS))("%s: at least 99 of 100 generated ones are cut", (kind, make) => {
    const { redact } = createRedactor();
    const missed = Array.from({ length: 100 }, make).filter((secret) => {
      const { text, findings } = redact(`before "${secret}" after`);
      return text.includes(valueOf(kind, secret)) || findings.length === 0 || !text.includes("[REDACTED:");
    });
    expect(missed.length).toBeLessThanOrEqual(1);
  });

  test("ordinary code and prose stay as they are", () => {
    const { redact } = createRedactor();
    for (const text of [
      "const token = process.env.GITHUB_TOKEN_FOR_RELEASES;",
      "password: z.string().min(8).max(200),",
      'api_key = "your-api-key-goes-here"',
      "const accessToken = await getAccessTokenFromKeychain(options);",
      "git clone https://github.com/org/repo.git && cd repo",
      "postgres://user:${PASSWORD}@localhost/db",
      'integrity: "sha512-PnKvRX+Fbxl/usVlTr/31tXIOVAH+8OdC9qaxUQcvurwEnoc3Vk/ipi2Ce8IjMxzK9byfSGdsUBjqqJGc1o5lw=="',
      "commit 61536b7a9c0f3e5d7b1a2c4e6f8091a3b5c7d9e1",
      "run-01jc2x8k9m0n1p2q3r4s5t6v7w",
      "tokens: 12345, secretary: 'Ms Robinson-Whitehead the third'",
      "sk-your-openai-key-goes-here-please",
    ])
      expect(redact(text).text).toBe(text);
  });

  test("known secrets are cut in every usual encoding", () => {
    const secret = "correct horse battery";
    const { redact } = createRedactor([secret]);
    for (const form of [
      secret,
      encodeURIComponent(secret),
      Buffer.from(secret).toString("hex"),
      btoa(`ab${secret}xyz`),
      btoa(`a${secret}`),
      btoa(secret),
    ]) {
      const { text } = redact(`<${form}>`);
      expect(text).toContain("[REDACTED:known-secret]");
      expect(Buffer.from(text.replace(/\[.*?\]/g, "").replace(/[<>]/g, ""), "base64").toString()).not.toContain(
        "horse",
      );
    }
  });

  test("findings carry no secret", () => {
    const secret = MAKERS["github-token"]?.() ?? "";
    expect(JSON.stringify(createRedactor().redact(`x ${secret}`).findings)).not.toContain(secret.slice(4));
  });
});

describe("R2 chunks", () => {
  test("text cut anywhere gives what the whole gives", () => {
    const pieces = [
      ...Object.values(MAKERS).map((make) => make()),
      "plain words\nand lines ",
      "house secret one two",
      "token = ",
      "password: 'x' ",
      "\n\n",
    ];
    const redactor = createRedactor(["house secret one two"]);
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...pieces), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }),
        (chosen, sizes) => {
          const whole = chosen.join(" ");
          const stream = redactor.stream();
          let [out, at, turn] = ["", 0, 0];
          while (at < whole.length) {
            const size = sizes[turn % sizes.length] ?? 1;
            out += stream.push(whole.slice(at, at + size)).text;
            at += size;
            turn += 1;
          }
          expect(out + stream.end().text).toBe(redactor.redact(whole).text);
        },
      ),
      { seed: 42, numRuns: 500 },
    );
  });

  test("ordinary words are not held back", () => {
    const stream = createRedactor().stream();
    expect(stream.push("Reading the file ").text).toBe("Reading the file ");
  });
});

test("R3: a hostile megabyte costs seconds at most", () => {
  const redactor = createRedactor(["house-secret-value"]);
  for (const seed of [
    "-eyJ",
    "-----BEGIN PRIVATE KEY-----",
    "sk-",
    "token",
    "a://b:",
    "bearer ",
    "password=",
    "-----BEGIN ",
    "AccountKey=",
    "xoxb-",
    "house-secret-valu",
    "a",
    " ",
    'secret_key: "',
    "eyJaaaaaaaa.eyJ",
  ]) {
    const text = seed.repeat(Math.ceil(1_000_000 / seed.length));
    const spentMs = cpuMs(() => redactor.redact(text));
    expect({ seed, slow: spentMs > 3_000 }).toEqual({ seed, slow: false });
  }
  const stream = redactor.stream();
  const spentMs = cpuMs(() => {
    for (let turn = 0; turn < 1_000; turn += 1) stream.push("token".repeat(200));
  });
  expect(spentMs).toBeLessThan(5_000);
});
