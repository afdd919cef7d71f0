import { ManualClock, seededRandom } from "@smooth/platform/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Bytes, concat, decodeBatch, encodeBatch, encodeText, type Frame, FRAME } from "./codec.ts";
import { Line } from "./line.ts";

const frame = (stream: number, text = "x"): Frame => ({
  type: FRAME.data,
  flags: 0,
  stream,
  payload: encodeText(text),
});

const anyFrame = fc.record({
  type: fc.integer({ min: 0, max: 255 }),
  flags: fc.integer({ min: 0, max: 255 }),
  stream: fc.integer({ min: 0, max: 0xffffffff }),
  payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => new Uint8Array(bytes)),
});

describe("codec", () => {
  test("what is encoded is decoded again", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), fc.array(anyFrame, { maxLength: 8 }), (seq, frames) => {
        expect(decodeBatch(encodeBatch(seq, frames))).toEqual({ kind: "batch", seq, frames });
      }),
    );
  });

  test("C1: any bytes are a batch or malformed, and no frame reaches outside its message", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const batch = decodeBatch(new Uint8Array(bytes));
        if (batch.kind === "malformed") return;
        const sizeBytes = batch.frames.reduce((sum, { payload }) => sum + 10 + payload.byteLength, 4);
        expect(sizeBytes).toBe(bytes.byteLength);
      }),
      { numRuns: 2_000 },
    );
  });

  test("a message that is cut anywhere is malformed, unless between two frames", () => {
    const whole = encodeBatch(7, [frame(1, "hello"), frame(2, "you")]);
    const sound = Array.from({ length: whole.byteLength + 1 }, (_, end) => end).filter(
      (end) => decodeBatch(whole.slice(0, end)).kind === "batch",
    );
    expect(sound).toEqual([4, 19, 32]);
  });
});

/** Two lines over a wire that a test can cut; bytes on the wire at a cut are lost. */
class Pair {
  readonly clock = new ManualClock();
  readonly heard: string[] = [];
  readonly near: Line;
  readonly far: Line;
  readonly #flushes: (() => void)[] = [];
  #flying: (() => void)[] = [];

  constructor(firstSeq = 1) {
    const defer = (run: () => void): void => void this.#flushes.push(run);
    const { clock } = this;
    this.near = new Line({ clock, defer, firstSeq, onFrame: () => undefined });
    this.far = new Line({
      clock,
      defer,
      firstSeq,
      onFrame: ({ payload }) => void this.heard.push(new TextDecoder().decode(payload)),
    });
    this.connect();
  }

  /** False when a resume is not possible. */
  connect(resume = false): boolean {
    const [nearHas, farHas] = [this.near.received, this.far.received];
    if (resume && !(this.near.canResume(farHas) && this.far.canResume(nearHas))) return false;
    this.near.attach((bytes) => void this.#flying.push(() => this.far.receive(bytes)), resume ? farHas : undefined);
    this.far.attach((bytes) => void this.#flying.push(() => this.near.receive(bytes)), resume ? nearHas : undefined);
    return true;
  }

  cut(): void {
    this.near.detach();
    this.far.detach();
    this.#flying = [];
  }

  flush(): void {
    for (const run of this.#flushes.splice(0)) run();
  }

  deliver(count = Number.POSITIVE_INFINITY): void {
    for (let left = count; left > 0 && this.#flying.length > 0; left -= 1) this.#flying.shift()?.();
  }
}

describe("a line", () => {
  test("L3: frames of one turn travel in one message", () => {
    const sent: Bytes[] = [];
    const flushes: (() => void)[] = [];
    const line = new Line({
      clock: new ManualClock(),
      defer: (run) => void flushes.push(run),
      onFrame: () => undefined,
    });
    line.attach((bytes) => void sent.push(bytes));

    line.send(frame(1));
    line.send(frame(2));
    for (const run of flushes) run();

    expect(sent).toEqual([encodeBatch(1, [frame(1), frame(2)])]);
  });

  test("L2: a repeated batch is ignored, a missing one is malformed", () => {
    const heard: number[] = [];
    const line = new Line({
      clock: new ManualClock(),
      defer: (run) => run(),
      onFrame: ({ stream }) => void heard.push(stream),
    });

    expect(line.receive(encodeBatch(1, [frame(1)])).kind).toBe("taken");
    expect(line.receive(encodeBatch(1, [frame(1)])).kind).toBe("taken");
    expect(line.receive(encodeBatch(3, [frame(3)]))).toEqual({ kind: "malformed", reason: "a batch is missing" });

    expect(heard).toEqual([1]);
  });

  test.each([1, 0xfffffffa])(
    "L1: whatever is cut and whenever, everything arrives once and in order (from %i)",
    async (firstSeq) => {
      const random = seededRandom(firstSeq);
      const pair = new Pair(firstSeq);
      const all: string[] = [];
      let isWhole = true;
      for (let round = 0; round < 300; round += 1) {
        all.push(`m${round}`);
        pair.near.send(frame(1, `m${round}`));
        if (random() < 0.5) pair.flush();
        if (random() < 0.6) pair.deliver(Math.floor(random() * 4));
        if (random() < 0.3) await pair.clock.advance(60);
        if (random() < 0.1) {
          pair.cut();
          isWhole &&= pair.connect(true);
        }
      }
      pair.flush();
      pair.deliver();

      expect({ isWhole, heard: pair.heard }).toEqual({ isWhole: true, heard: all });
    },
  );

  test("L4: senders wait while 8 MiB are not acknowledged, and go on after the acknowledgement", async () => {
    const pair = new Pair();
    for (let count = 0; count < 129; count += 1) pair.near.send({ ...frame(1), payload: new Uint8Array(64 * 1024) });
    pair.flush();
    let isReady = false;
    const ready = pair.near.ready().then((ok) => (isReady = ok));

    await pair.clock.advance(1);
    expect(isReady).toBe(false);
    pair.deliver();
    await ready;

    expect(isReady).toBe(true);
    expect(pair.near.heldBytes).toBeLessThan(8 * 1024 * 1024);
  });

  test("a peer that forgot what was acknowledged cannot resume", async () => {
    const pair = new Pair();
    pair.near.send(frame(1));
    pair.flush();
    pair.deliver();
    await pair.clock.advance(60);
    pair.deliver();

    expect(pair.near.canResume(1)).toBe(true);
    expect(pair.near.canResume(0)).toBe(false);
    expect(pair.near.canResume(2)).toBe(false);
  });

  test("any bytes are taken or malformed, and the line goes on", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 10 }), (messages) => {
        const line = new Line({ clock: new ManualClock(), defer: (run) => run(), onFrame: () => undefined });
        for (const bytes of messages)
          expect(["taken", "malformed"]).toContain(line.receive(new Uint8Array(bytes)).kind);
        line.send(frame(1));
      }),
    );
  });

  test("pieces join to the whole", () => {
    expect(concat([encodeText("a"), encodeText(""), encodeText("bc")])).toEqual(encodeText("abc"));
  });
});
