import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { readClientHello } from "./client-hello.ts";
import { writeRefusal, type Crossing } from "./crossing.node.ts";
import { join } from "./forward.node.ts";
import type { Refusal } from "./refusal.ts";

/** CONNECT: an opaque tunnel to one judged host.
 *  G7. On a TLS port (443 unless told otherwise) the tunnel carries TLS for that very host name, or it is cut before a byte goes out. */

/** Never rejects. */
export async function tunnel(crossing: Crossing, guest: Duplex, head: Buffer): Promise<void> {
  const refuse = (refusal: Refusal): void => {
    crossing.close("blocked", refusal.status, refusal.rule);
    writeRefusal(guest, refusal, crossing.target.host);
  };
  const way = await crossing.open();
  if (way.kind === "shut") return refuse(way.refusal);
  const upstream = await dial(way.address, crossing);
  if (!upstream) return refuse({ status: 502, rule: "goalie.upstream", message: "the server did not answer" });
  guest.once("close", () => upstream.destroy());

  guest.write("HTTP/1.1 200 Connection Established\r\n\r\n");
  if (head.length > 0) guest.unshift(head);
  if (
    (crossing.options.tlsPorts ?? [443]).includes(crossing.target.port) &&
    !(await speaksTlsTo(crossing.target.host, guest))
  ) {
    crossing.close("blocked", 403, "goalie.server-name");
    upstream.destroy();
    guest.destroy();
    return;
  }
  await join(crossing, guest, upstream);
  crossing.close("allowed", 200);
}

function dial(address: string, { target, limits }: Crossing): Promise<Duplex | null> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: target.port });
    const give = (result: Duplex | null): void => {
      socket.setTimeout(result ? limits.idleMs : 0);
      resolve(result);
    };
    socket.setTimeout(limits.connectMs, () => socket.destroy());
    socket.once("connect", () => give(socket));
    socket.on("error", () => give(null)).once("close", () => give(null));
  });
}

/** Reads the ClientHello and puts it back. */
async function speaksTlsTo(host: string, guest: Duplex): Promise<boolean> {
  let bytes = Buffer.alloc(0);
  for (;;) {
    const chunk = (await nextChunk(guest)) ?? null;
    if (chunk === null) return false;
    bytes = Buffer.concat([bytes, chunk]);
    const reading = readClientHello(bytes);
    if (reading.kind === "more") continue;
    guest.unshift(bytes);
    return reading.kind === "hello" && reading.serverName === host;
  }
}

function nextChunk(guest: Duplex): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const done = (chunk: Buffer | null): void => {
      guest.off("readable", read).off("end", ended).off("close", ended);
      resolve(chunk);
    };
    const read = (): void => {
      const chunk = guest.read() as Buffer | null;
      if (chunk !== null) done(chunk);
    };
    const ended = (): void => done(null);
    guest.on("readable", read).once("end", ended).once("close", ended);
    read();
  });
}
