import { duplexPair } from "node:stream";
import { text } from "node:stream/consumers";
import { ManualClock, seededRandom, settle } from "@smooth/platform/testing";
import { describe, expect, test } from "vitest";
import { muxDuplex } from "./duplex.ts";
import { encodeFrame, FRAME, type Frame, FrameReader, MAX_PAYLOAD_BYTES } from "./frames.ts";
import { Mux, type MuxStream, type StreamEvents, WINDOW_BYTES } from "./mux.ts";

/** A host mux on a raw port, so that a test can be the guest byte by byte. */
function hostAlone(onOpen?: (stream: MuxStream) => StreamEvents) {
  const clock = new ManualClock();
  const [port, guest] = duplexPair();
  const faults: string[] = [];
  const mux = new Mux({
    port,
    peer: "guest",
    nowMs: () => clock.now(),
    after: (ms, wake) => void clock.sleep(ms).then(wake),
    onFault: (reason) => faults.push(reason),
    ...(onOpen && { onOpen }),
  });
  const say = async (type: Frame["type"], stream: number, payload: Uint8Array = Buffer.alloc(0)): Promise<void> => {
    guest.write(encodeFrame({ type, stream, payload: Buffer.from(payload) }));
    await turns();
  };
  return { mux, guest, faults, say, clock };
}

/** Two muxes talking to each other. */
function pair(onOpen: (stream: MuxStream, payload: Buffer) => StreamEvents) {
  const clock = new ManualClock();
  const [left, right] = duplexPair();
  const shared = { nowMs: () => clock.now(), after: () => {}, onFault: (reason: string) => expect.unreachable(reason) };
  return {
    host: new Mux({ ...shared, port: left, peer: "guest" }),
    guest: new Mux({ ...shared, port: right, peer: "host", onOpen }),
  };
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 6; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

describe("framing", () => {
  test("frames survive any cut of the bytes", () => {
    const random = seededRandom(7);
    const frames: Frame[] = Array.from({ length: 200 }, (_, at) => ({
      type: FRAME.data,
      stream: at,
      payload: Buffer.alloc(Math.floor(random() * 3_000), at),
    }));
    const bytes = Buffer.concat(frames.map(encodeFrame));
    const reader = new FrameReader();
    const read: Frame[] = [];
    for (let at = 0; at < bytes.length;) {
      const next = at + 1 + Math.floor(random() * 5_000);
      for (const frame of reader.push(bytes.subarray(at, next)))
        read.push({ ...frame, payload: Buffer.from(frame.payload) });
      at = next;
    }

    expect(read).toEqual(frames);
  });

  test("F1: an oversized length is a fault before anything is kept", () => {
    const reader = new FrameReader();
    const header = Buffer.from([0xff, 0xff, 0xff, 0xff, 3, 0, 0, 0, 1]);

    expect([...reader.push(header)]).toEqual([]);
    expect(reader.fault).toContain("4294967295 bytes");
    expect([...reader.push(encodeFrame({ type: FRAME.data, stream: 1, payload: Buffer.alloc(1) }))]).toEqual([]);
  });
});

describe("M1: a peer that breaks the rules is faulted, and nothing throws", () => {
  test.each<[string, Frame["type"], number, number]>([
    ["data for a stream nobody opened", FRAME.data, 9, 1],
    ["data for a stream of its own that it did not open", FRAME.data, 8, 1],
    ["opening a stream with our kind of number", FRAME.open, 3, 0],
    ["a result for the future", FRAME.result, 101, 0],
  ])("%s", async (_, type, stream, bytes) => {
    const { faults, say } = hostAlone(() => ({ closed: () => {} }));
    await say(type, stream, Buffer.alloc(bytes));

    expect(faults).toHaveLength(1);
  });

  test("opening streams where none are taken", async () => {
    const { faults, say } = hostAlone();
    await say(FRAME.open, 2);

    expect(faults).toEqual(["this port opens no streams"]);
  });

  test("sending past its credit", async () => {
    const { mux, faults, say } = hostAlone();
    mux.open(Buffer.alloc(0), { data: () => {}, closed: () => {} });
    for (let sent = 0; sent < WINDOW_BYTES; sent += MAX_PAYLOAD_BYTES)
      await say(FRAME.data, 1, Buffer.alloc(MAX_PAYLOAD_BYTES));
    expect(faults).toEqual([]);
    await say(FRAME.data, 1, Buffer.alloc(1));

    expect(faults).toEqual(["stream 1 sent past its credit"]);
  });

  test("granting us absurd credit, or credit of the wrong size", async () => {
    for (const payload of [Buffer.from([0xff, 0xff, 0xff, 0xff]), Buffer.alloc(3)]) {
      const { mux, faults, say } = hostAlone();
      mux.open(Buffer.alloc(0), { closed: () => {} });
      await say(FRAME.credit, 1, payload);
      expect(faults).toHaveLength(1);
    }
  });

  test("more streams than allowed are reset, not kept", async () => {
    const { mux, faults, say } = hostAlone(() => ({ closed: () => {} }));
    for (let stream = 2; stream <= 2 * 600; stream += 2) await say(FRAME.open, stream);

    expect(mux.streamCount).toBe(512);
    expect(faults).toEqual([]);
  });

  test("random bytes and random frames, 300 seeds: at worst a fault, every stream closed once", async () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      const random = seededRandom(seed);
      let closed = 0;
      const { mux, guest, faults } = hostAlone(() => ({ closed: () => {} }));
      for (let stream = 0; stream < 3; stream += 1) mux.open(Buffer.alloc(0), { closed: () => (closed += 1) });
      for (let step = 0; step < 40; step += 1) guest.write(randomBytesOrFrame(random));
      await turns();
      mux.close();
      mux.close();
      expect({ seed, closed, faults: faults.length <= 1 }).toEqual({ seed, closed: 3, faults: true });
    }
  });
});

function randomBytesOrFrame(random: () => number): Buffer {
  const bytes = (count: number): Buffer => Buffer.from(Array.from({ length: count }, () => Math.floor(random() * 256)));
  if (random() < 0.02) return bytes(Math.ceil(random() * 40));
  const type = (1 + Math.floor(random() * 9)) as Frame["type"];
  return encodeFrame({ type, stream: Math.floor(random() * 9), payload: bytes(Math.floor(random() * 30)) });
}

test("M2: both sides sending at once never wait for each other, however little the line holds", async () => {
  const mib = Buffer.alloc(1024 * 1024, 7);
  let echoed = 0;
  const { host } = pair((stream) => ({
    data: (chunk) => void stream.send(Buffer.from(chunk)).then(() => stream.consumed(chunk.length)),
    closed: () => {},
  }));
  const streams = Array.from({ length: 4 }, () =>
    host.open(Buffer.alloc(0), { data: (chunk) => void (echoed += chunk.length), closed: () => {} }),
  );
  // Nothing is taken back, so each direction fills its whole window.
  for (const stream of streams) void stream.send(mib).catch(() => {});
  for (let turn = 0; turn < 200; turn += 1) await turns();

  expect(echoed).toBe(streams.length * WINDOW_BYTES);
});

test("M2: a reader that does not read stops the sender at the window", async () => {
  const { host } = pair(() => ({ data: () => {}, closed: () => {} }));
  const stream = host.open(Buffer.alloc(0), { closed: () => {} });
  let handedOver = 0;
  for (let sent = 0; sent < 8; sent += 1)
    void stream.send(Buffer.alloc(MAX_PAYLOAD_BYTES)).then(
      () => (handedOver += 1),
      () => {},
    );
  await turns();

  expect(handedOver * MAX_PAYLOAD_BYTES).toBe(WINDOW_BYTES);
});

test("M3: frames under way to a stream we closed are ignored", async () => {
  const { mux, faults, say } = hostAlone();
  mux.open(Buffer.alloc(0), { closed: () => {} }).reset();
  await say(FRAME.data, 1, Buffer.alloc(10));
  await say(FRAME.result, 1);

  expect(faults).toEqual([]);
});

test("M4: a flood of frames is read slowly, not dropped", async () => {
  const { mux, guest, clock } = hostAlone();
  let credits = 0;
  mux.open(Buffer.alloc(0), { control: () => (credits += 1), closed: () => {} });
  const frame = encodeFrame({ type: FRAME.control, stream: 1, payload: Buffer.alloc(0) });
  for (let block = 0; block < 60; block += 1) guest.write(Buffer.concat(Array.from({ length: 1_000 }, () => frame)));
  await turns();
  const atOnce = credits;
  for (let second = 0; second < 4; second += 1) {
    await clock.advance(1_000);
    await turns();
  }

  expect(atOnce).toBeLessThan(30_000);
  expect(credits).toBe(60_000);
});

test("a duplex passes bytes and half-closes both ways", async () => {
  const { host } = pair((stream) => {
    const { duplex, events, attach } = muxDuplex();
    attach(stream);
    void text(duplex).then((asked) => duplex.end(`you said ${asked.length}`));
    return events;
  });
  const { duplex, events, attach } = muxDuplex();
  attach(host.open(Buffer.alloc(0), events));
  duplex.end("x".repeat(1_000_000));

  expect(await text(duplex)).toBe("you said 1000000");
  await settle();
  expect(host.streamCount).toBe(0);
});
