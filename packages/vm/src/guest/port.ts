import { closeSync, constants, openSync, read, readdirSync, readFileSync, write } from "node:fs";
import { Duplex } from "node:stream";

/** A named virtio-serial port of this guest as a Duplex. */
export function openPort(name: string): Duplex {
  const root = "/sys/class/virtio-ports";
  const device = readdirSync(root).find((entry) => readFileSync(`${root}/${entry}/name`, "utf8").trim() === name);
  if (device === undefined) throw new TypeError(`no virtio port named ${name}`);
  const fd = openSync(`/dev/${device}`, constants.O_RDWR);
  const buffer = Buffer.allocUnsafe(256 * 1024);
  const port = new Duplex({
    writableHighWaterMark: 256 * 1024,
    read() {
      read(fd, buffer, 0, buffer.length, null, (error, count) => {
        if (error) port.destroy(error);
        else if (count > 0) port.push(Buffer.from(buffer.subarray(0, count)));
        else setTimeout(() => port.push(Buffer.alloc(0)) || port.read(0), 50); // The host is not connected yet.
      });
    },
    write: (chunk: Buffer, _encoding, done) => writeAll(fd, chunk, done),
    writev: (chunks, done) => writeAll(fd, Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)), done),
    destroy(error, done) {
      closeSync(fd);
      done(error);
    },
  });
  return port;
}

function writeAll(fd: number, bytes: Buffer, done: (error?: Error | null) => void): void {
  if (bytes.length === 0) return done();
  write(fd, bytes, 0, bytes.length, null, (error, count) => {
    if (error) done(error);
    else writeAll(fd, bytes.subarray(count), done);
  });
}
