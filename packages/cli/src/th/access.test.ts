/** `th access`, `th inbox` and `th auth`. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { approvalAsk, networkAsk } from "../testing/fake-host.ts";
import { bench, BIN, emptyHome, ended, start } from "../testing/run-bin.ts";

const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");

describe("access", () => {
  const pearl = "th-abc123";
  test("approve by pearl and domain, at the version that was seen", async () => {
    const { th, host } = await bench();
    host.asks.push(networkAsk("ask-000001", pearl, "npmjs.org"), networkAsk("ask-000002", pearl, "evil.example"));
    const answer = await th(["access", "approve", pearl, "npmjs.org", "--grant", "run"]);

    expect(answer).toMatchObject({ code: 0, err: "approved: May it reach npmjs.org?\n" });
    expect(host.did).toEqual(["approve ask-000001 v3 run"]);
  });

  test("a pearl with two asks decides nothing until one is named", async () => {
    const { th, host } = await bench();
    host.asks.push(networkAsk("ask-000001", pearl, "a.org"), networkAsk("ask-000002", pearl, "b.org"));
    const unclear = await th(["access", "deny", pearl]);
    const named = await th(["access", "deny", "ask-000002", "--note", "no"]);

    expect(unclear).toMatchObject({
      code: 4,
      err: expect.stringContaining("name one: ask-000001, ask-000002") as string,
    });
    expect(named.code).toBe(0);
    expect(host.did).toEqual(["deny ask-000002 v3"]);
  });

  test("what nobody asks for, and what was decided already", async () => {
    const { th, host } = await bench();
    const none = await th(["access", "approve", pearl, "npmjs.org"]);
    host.asks.push({
      ...networkAsk("ask-000001", pearl, "a.org"),
      status: "void",
      voidReason: "x",
      voidAtMs: 1,
    } as never);
    const late = await th(["access", "approve", "ask-000001"]);

    expect(none).toMatchObject({
      code: 1,
      err: `nothing is asked for npmjs.org by ${pearl}\nsee what waits with \`th inbox\`\n`,
    });
    expect(late).toMatchObject({ code: 1, err: expect.stringContaining("bob decided ask-000001 first") as string });
  });

  test("an approval is shown with all that a yes does, cannot move the cursor, and is answered with a choice", async () => {
    const { th, host } = await bench();
    const options = [
      { key: "blue", label: "Blue", summary: "calm" },
      { key: "green", label: "Green" },
    ];
    const ask = approvalAsk("ask-000001", "colour");
    const subject = {
      ...ask.subject,
      summary: "Two ways.\u001B[2J",
      patch: "+one line\n",
      choice: { mode: "select", options },
    };
    host.asks.push({ ...ask, subject } as never);
    const shown = await th(["access", "show", "ask-000001"]);
    const answered = await th(["access", "approve", "ask-000001", "--choose", "green"]);

    expect(shown.out).toContain("why: no rule\n\nTwo ways.\n\n+one line\n\n");
    expect(shown.out).toContain("blue   Blue   calm\ngreen  Green\n");
    expect(answered.code).toBe(0);
    expect(host.did).toEqual(["approve ask-000001 v3 once green"]);
  });

  test("the inbox has all that waits", async () => {
    const { th, host } = await bench();
    host.asks.push(networkAsk("ask-000001", pearl, "a.org"));
    const [plain, json] = [await th(["inbox"]), await th(["access", "pending", "--json"])];

    expect(plain.out).toBe(`ask-000001  ${pearl}  medium  pending  May it reach a.org?\n`);
    expect(JSON.parse(json.out)).toEqual({ asks: host.asks });
  });
});

describe("auth", () => {
  test("P1, P2: keys come by stdin or by name, are not shown, and the rest of the file survives", async () => {
    const { th, home } = await bench();
    const path = join(home, "providers.json");
    writeFileSync(
      path,
      JSON.stringify({
        theme: "dark",
        providers: [{ id: "mine", api_url: "https://x.example/v1", default_model: "m", extra: 1, api_key_env: "OLD" }],
      }),
    );
    const added = await th(["auth", "login", "anthropic", "--key-stdin"], "sk-secret\n");
    await th(["auth", "login", "mine", "--key-env", "MY_KEY"]);
    await th(["auth", "default", "mine", "big"]);
    const listed = await th(["auth", "providers", "--json"]);
    const file = JSON.parse(readFileSync(path, "utf8")) as unknown;

    expect(added).toMatchObject({ code: 0, out: "" });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(file).toMatchObject({
      theme: "dark",
      providers: [
        { id: "anthropic", api_key: "sk-secret" },
        { id: "mine", extra: 1, api_key_env: "MY_KEY" },
      ],
      routing: { "smooth-default": { provider: "mine", model: "big" } },
    });
    expect(listed.out).not.toContain("sk-secret");
    expect(JSON.parse(listed.out)).toMatchObject({
      providers: [
        { id: "anthropic", key: "stored" },
        { id: "mine", key: "$MY_KEY", isDefault: true },
      ],
    });
  });

  test.each([
    [["auth", "login", "openai"], "openai needs a key: --key-stdin, or --key-env <name>"],
    [["auth", "login", "openai", "--key-stdin"], "no key for openai came on stdin"],
    [["auth", "login", "mine", "--key-env", "K"], "provider mine"],
    [["auth", "default", "nobody"], "no provider nobody (configured: none)"],
  ])("%j is refused, and no file appears", async (args, what) => {
    const home = emptyHome();
    const { code, err } = await ended(start(BIN.th, args, { home }));

    expect({ code, what: lines(err)[0] }).toEqual({ code: 4, what: expect.stringContaining(what) as string });
    expect(() => readFileSync(join(home, "providers.json"))).toThrow("ENOENT");
  });

  test("a broken file is named, not overwritten", async () => {
    const { th, home } = await bench();
    writeFileSync(join(home, "providers.json"), "{");
    const { code, err } = await th(["auth", "login", "ollama"]);

    expect({ code, what: lines(err)[0] }).toEqual({
      code: 4,
      what: expect.stringContaining(join(home, "providers.json")) as string,
    });
    expect(readFileSync(join(home, "providers.json"), "utf8")).toBe("{");
  });
});
