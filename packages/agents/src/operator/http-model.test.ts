import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { httpModel } from "./http-model.node.ts";
import { firstThatAnswers, type Model, type ModelAnswer } from "./model.ts";

const REQUEST = {
  messages: [{ role: "user" as const, content: "hi" }],
  tools: [],
  signal: new AbortController().signal,
  onText: () => {},
};

async function origin(contentType: string, chunk: string) {
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": contentType });
    const pour = (): void => {
      while (response.write(chunk));
      response.once("drain", pour);
    };
    pour();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

test.each([
  ["a stream of words", "text/event-stream", `data: {"choices":[{"delta":{"content":"${"w".repeat(60_000)}"}}]}\n\n`],
  ["one event", "text/event-stream", "x".repeat(65_536)],
  ["one answer", "application/json", "x".repeat(65_536)],
])("W3: %s without end is given up", async (_, contentType, chunk) => {
  await using endless = await origin(contentType, chunk);
  const model = httpModel({ url: endless.url, token: "t", model: "m", format: "OpenAiCompat", proxy: null });

  expect(await model.complete(REQUEST)).toMatchObject({ kind: "failed" });
});

const failed = (message: string, retry: { afterMs: number } | null): ModelAnswer => ({
  kind: "failed",
  code: "PROVIDER_FAILED",
  message,
  retry,
});
const answer: ModelAnswer = { kind: "answer", text: "ok", toolCalls: [], model: "m", usage: null };
const model = (said: ModelAnswer, words = ""): Model => ({
  complete: async ({ onText }) => {
    if (words !== "") onText(words);
    return said;
  },
});

test("M3: the next model is asked when the one before failed without a word", async () => {
  const broken = model(failed("gone", null));
  const busy = model(failed("busy", { afterMs: 5 }));
  const cut = model(failed("cut", { afterMs: 0 }), "half an ans");

  expect(await firstThatAnswers([broken, model(answer)]).complete(REQUEST)).toBe(answer);
  expect(await firstThatAnswers([cut, model(answer)]).complete(REQUEST)).toMatchObject({ message: "cut" });
  expect(await firstThatAnswers([broken, busy, broken]).complete(REQUEST)).toMatchObject({ message: "busy" });
  expect(await firstThatAnswers([]).complete(REQUEST)).toMatchObject({ kind: "failed", retry: null });
});
