import { Duplex } from "node:stream";
import type { MuxStream, StreamEvents } from "./mux.ts";

/** A mux stream as a Node Duplex with half-close and backpressure: what Goalie and the guest's relay take. */
export function muxDuplex(): {
  readonly duplex: Duplex;
  readonly events: StreamEvents;
  readonly attach: (stream: MuxStream) => void;
} {
  let stream: MuxStream | null = null;
  let unread: number[] = [];
  const duplex = new Duplex({
    allowHalfOpen: true,
    read() {
      for (const bytes of unread.splice(0)) stream?.consumed(bytes);
    },
    write(chunk: Buffer, _encoding, written) {
      if (stream) stream.send(chunk).then(() => written(), written);
      else written(new Error("stream is not attached"));
    },
    final(done) {
      stream?.end();
      done();
    },
    destroy(error, done) {
      stream?.reset();
      done(error);
    },
  });
  duplex.on("error", () => {}); // A reset is not an exception; whoever cares listens to `close`.
  const events: StreamEvents = {
    data(chunk) {
      if (duplex.push(chunk)) stream?.consumed(chunk.length);
      else unread.push(chunk.length);
    },
    end: () => void duplex.push(null),
    closed(how) {
      if (how.kind === "reset") duplex.destroy();
      unread = [];
    },
  };
  return { duplex, events, attach: (opened) => void (stream = opened) };
}
