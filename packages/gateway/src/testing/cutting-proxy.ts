import { connect, createServer, type AddressInfo } from "node:net";
import type { Random } from "@smooth/platform/ports";

/** A line that breaks: forwards TCP, and cuts a connection after a random number of bytes from the host, `cuts` times. */
export async function cuttingProxy(
  target: string,
  { cuts, random, maxBytes }: { readonly cuts: number; readonly random: Random; readonly maxBytes: number },
): Promise<AsyncDisposable & { readonly url: string; readonly made: () => number }> {
  let made = 0;
  const server = createServer((client) => {
    const host = connect(Number(new URL(target).port), "127.0.0.1");
    let left = made < cuts ? Math.floor(random() * maxBytes) : Number.POSITIVE_INFINITY;
    const drop = (): void => {
      host.destroy();
      client.destroy();
    };
    host.on("data", (chunk) => {
      client.write(chunk.subarray(0, left));
      left -= chunk.length;
      if (left > 0) return;
      made += 1;
      host.removeAllListeners().destroy();
      client.end();
    });
    client.pipe(host);
    for (const socket of [client, host]) socket.on("error", drop).on("close", drop);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    made: () => made,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
