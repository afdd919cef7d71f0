import { expect, test } from "vitest";
import { hideSecretsOf } from "./secrets-of-env.node.ts";

test("values of variables whose names speak of secrets are hidden, also as JSON writes them, the longest first", () => {
  const hide = hideSecretsOf({
    OPENAI_API_KEY: "sk-12345678",
    GH_TOKEN: 'a"quoted"one',
    LONG_SECRET: "sk-12345678-more",
  });

  expect(hide('sk-12345678-more, sk-12345678 and {"x":"a\\"quoted\\"one"}')).toBe(
    '[redacted:LONG_SECRET], [redacted:OPENAI_API_KEY] and {"x":"[redacted:GH_TOKEN]"}',
  );
});

test("E1: other variables and short values stay", () => {
  const hide = hideSecretsOf({
    HOME: "/home/anna-the-great",
    KEYBOARD: "qwertyuiop",
    API_KEY: "none",
    AUTHOR: "annabel-lee",
  });

  expect(hide("/home/anna-the-great qwertyuiop none annabel-lee")).toBe(
    "/home/anna-the-great qwertyuiop none annabel-lee",
  );
});
