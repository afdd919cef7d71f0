import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { deliverBy } from "./alerts.ts";

const ALERT = {
  runId: "run-000001",
  alert: "slow",
  when: "task-running",
  subject: "build::0",
  message: "build runs with hush-1",
  severity: "warning",
  owner: null,
  runbook: null,
  labels: {},
  reaction: { kind: "deliver", destination: "oncall" },
} as unknown as Parameters<ReturnType<typeof deliverBy>>[0];

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), "alerts-"))));
afterEach(() => rmSync(dir, { recursive: true }));

async function webhook(status: number) {
  const heard: unknown[] = [];
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      heard.push(body);
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return { url, heard, [Symbol.asyncDispose]: () => new Promise<void>((done) => void server.close(() => done())) };
}

const by = (destinations: unknown) => {
  const file = join(dir, "alerts.json");
  writeFileSync(file, JSON.stringify({ destinations }));
  return deliverBy({ file, redact: (text) => text.replaceAll("hush-1", "[redacted]") });
};

test("a destination that the owner named hears of the alert, redacted", async () => {
  await using hook = await webhook(204);

  await by({ oncall: { url: hook.url } })(ALERT, "oncall");

  expect(hook.heard).toMatchObject([{ destination: "oncall", alert: "slow", message: "build runs with [redacted]" }]);
});

test("who is not named hears nothing; a refusal, a broken file and no file are told", async () => {
  await using hook = await webhook(500);
  const deliver = by({ oncall: { url: hook.url } });

  await expect(deliver(ALERT, "chat")).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  expect(hook.heard).toEqual([]);
  await expect(deliver(ALERT, "oncall")).rejects.toMatchObject({ message: "oncall answered 500" });
  await expect(by("nonsense")(ALERT, "oncall")).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  const nothing = deliverBy({ file: join(dir, "none.json"), redact: (text) => text });
  await expect(nothing(ALERT, "oncall")).rejects.toMatchObject({ code: "CONFIG_INVALID" });
});
