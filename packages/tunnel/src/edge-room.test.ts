import { ManualClock, memoryLog } from "@smooth/platform/testing";
import { CLOSE, TicketClaims } from "@smooth/protocol/thp";
import { beforeEach, describe, expect, test } from "vitest";
import { type Bytes, decodeBatch, encodeBatch, encodeJson, FRAME } from "./codec.ts";
import type { EdgePorts, EdgeSocket, SlugRecord } from "./edge-ports.ts";
import { EdgeRoom } from "./edge-room.ts";
import { createHostKey, prove, publicHalf, thumbprint } from "./host-key.ts";

const hostKey = await createHostKey();
const claims = TicketClaims.parse({
  iss: "https://smooth.example",
  aud: "th.smoo.ai",
  sub: "host-00000001",
  org: "org-1",
  slug: "scratch-abcd1234",
  jti: "ticket-0001",
  iat: 1_800_000_000,
  exp: 1_800_000_060,
  cnf: { jkt: await thumbprint(hostKey) },
});

class Socket implements EdgeSocket {
  readonly sent: (string | Bytes)[] = [];
  closedWith: number | undefined;
  #attachment: string;

  constructor(attachment: unknown) {
    this.#attachment = JSON.stringify(attachment);
  }

  send(data: string | ArrayBuffer | ArrayBufferView): void {
    this.sent.push(data as string | Bytes);
  }

  close(code = 1005): void {
    this.closedWith ??= code;
  }

  serializeAttachment(value: unknown): void {
    this.#attachment = JSON.stringify(value);
  }

  deserializeAttachment(): unknown {
    return JSON.parse(this.#attachment);
  }

  get opened(): number[] {
    return this.sent.flatMap((data) => {
      const batch = typeof data === "string" ? undefined : decodeBatch(data);
      const frames = batch?.kind === "batch" ? batch.frames : [];
      return frames.flatMap(({ type, stream }) => (type === FRAME.open ? [stream] : []));
    });
  }
}

let clock: ManualClock;
let sockets: Socket[];
let record: SlugRecord | undefined;
let spent: Set<string>;
let ports: EdgePorts;
let tokens = 0;

beforeEach(() => {
  clock = new ManualClock();
  sockets = [];
  record = undefined;
  spent = new Set();
  ports = {
    clock,
    log: memoryLog(),
    store: {
      record: () => record,
      save: (next) => void (record = next),
      spend: (jti) => !spent.has(jti) && Boolean(spent.add(jti)),
    },
    clientAddress: () => "10.0.0.1",
    token: () => String((tokens += 1)).padStart(43, "A"),
    openSockets: () => sockets.filter(({ closedWith }) => closedWith === undefined),
    lastPingMs: () => clock.now(),
    accept: (role) => {
      const socket = new Socket(role);
      sockets.push(socket);
      return { socket, response: new Response(null) };
    },
    openBody: () => new TransformStream(),
  };
});

async function hosted(room: EdgeRoom, ticket = claims): Promise<Socket> {
  room.connect(ticket, "https://scratch-abcd1234.th.smoo.ai");
  const socket = sockets.at(-1) as Socket;
  const { nonce } = JSON.parse(String(socket.sent[0])) as { nonce: string };
  const sig = await prove(hostKey, nonce, ticket);
  await room.message(socket, JSON.stringify({ t: "hello", key: publicHalf(hostKey), sig }));
  return socket;
}

const ask = (room: EdgeRoom, path = "/", init: RequestInit = {}): Promise<Response> =>
  room.fetch(new Request(`https://scratch-abcd1234.th.smoo.ai${path}`, init));

const reply = (room: EdgeRoom, socket: Socket, stream: number): Promise<void> => {
  const head = { type: FRAME.head, flags: 0, stream, payload: encodeJson({ status: 204 }) };
  const fin = { type: FRAME.data, flags: 1, stream, payload: new Uint8Array(0) };
  return room.message(socket, encodeBatch(1, [head, fin]).buffer);
};

describe("the edge room", () => {
  test("a request becomes one OPEN, its answer the host's", async () => {
    const room = new EdgeRoom(ports);
    const host = await hosted(room);

    const asked = ask(room);
    await expect.poll(() => host.opened).toEqual([1]);
    await reply(room, host, 1);

    expect((await asked).status).toBe(204);
  });

  test("R1: who says no hello in 10 s is closed, and so is who says anything else", async () => {
    const room = new EdgeRoom(ports);
    room.connect(claims, "https://scratch-abcd1234.th.smoo.ai");
    room.connect(claims, "https://scratch-abcd1234.th.smoo.ai");
    await room.message(sockets[1] as Socket, "{}");
    await clock.advance(10_000);

    expect(sockets.map(({ closedWith }) => closedWith)).toEqual([CLOSE.ticket, CLOSE.protocol]);
    expect(record).toBeUndefined();
  });

  test("R1: more than eight silent diallers at once are turned away", () => {
    const room = new EdgeRoom(ports);
    for (let count = 0; count < 9; count += 1) room.connect(claims, "https://scratch-abcd1234.th.smoo.ai");
    expect(sockets.map(({ closedWith }) => closedWith).filter(Boolean)).toEqual([CLOSE.tooMany]);
  });

  test("R3: rebuilt from the attachments it says which streams live on, and serves", async () => {
    const before = await hosted(new EdgeRoom(ports));
    sockets.push(new Socket({ kind: "viewer", stream: 7 }));

    const woken = new EdgeRoom(ports);
    const asked = ask(woken);

    expect(before.sent.at(-1)).toBe(JSON.stringify({ t: "resync", keep: [7] }));
    await expect.poll(() => before.opened).toEqual([8]);
    await reply(woken, before, 8);
    expect((await asked).status).toBe(204);
  });

  test("R3: without a host, viewers found after a sleep are told to come back", () => {
    sockets.push(new Socket({ kind: "viewer", stream: 7 }), new Socket("nonsense"));
    expect(new EdgeRoom(ports)).toBeDefined();
    expect(sockets.map(({ closedWith }) => closedWith)).toEqual([1012, undefined]);
  });

  test("R4: a request waits for a host that lost its socket, and is answered when it is back", async () => {
    const room = new EdgeRoom(ports);
    const first = await hosted(room);
    room.closed(first, 1006, "");
    const asked = ask(room);

    const second = await hosted(room, { ...claims, jti: "ticket-0002" });
    await expect.poll(() => second.opened).toEqual([1]);
    await reply(room, second, 1);

    expect((await asked).status).toBe(204);
  });

  test("R4: after five seconds it is offline; a host that said goodbye is offline at once", async () => {
    const room = new EdgeRoom(ports);
    room.closed(await hosted(room), 1006, "");
    const asked = ask(room);
    await clock.advance(5_000);
    expect((await asked).headers.get("x-th-error")).toBe("host_offline");

    room.closed(await hosted(room, { ...claims, jti: "ticket-0002" }), CLOSE.bye, "bye");
    expect((await ask(room)).headers.get("x-th-error")).toBe("host_offline");
  });

  test("R5: an idle room holds no timer", async () => {
    await hosted(new EdgeRoom(ports));
    await clock.advance(0);
    expect(clock.sleeping).toBe(0);
  });

  test("a host whose pings stopped is not sent anything", async () => {
    ports = { ...ports, lastPingMs: () => undefined };
    const room = new EdgeRoom(ports);
    const host = await hosted(room);
    await clock.advance(46_000);

    const asked = ask(room);
    await clock.advance(5_000);

    expect((await asked).status).toBe(503);
    expect(host.opened).toEqual([]);
  });

  test.each([
    ["//evil.example/", {}, 400],
    ["/", { headers: { upgrade: "websocket", origin: "https://evil.example" } }, 403],
    ["/_th/secret", {}, 404],
    ["/", { method: "POST", body: "x", headers: { "content-length": "999999999" } }, 413],
  ])("%s %o is refused here", async (path, init, status) => {
    const room = new EdgeRoom(ports);
    const host = await hosted(room);

    expect((await ask(room, path, init)).status).toBe(status);

    expect(host.opened).toEqual([]);
  });
});
