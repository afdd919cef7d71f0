/** Reads the server name out of the first bytes of a TLS connection, so that a tunnel reaches the host it was opened for. */

export type HelloReading =
  | { readonly kind: "more" }
  | { readonly kind: "not-tls" }
  | { readonly kind: "hello"; readonly serverName: string | null };

const MAX_HELLO = 16_384 + 5;

export function readClientHello(bytes: Uint8Array): HelloReading {
  if (bytes.length > 0 && bytes[0] !== 0x16) return { kind: "not-tls" };
  if (bytes.length < 5) return { kind: "more" };
  const size = u16(bytes, 3);
  if (bytes[1] !== 3 || size > MAX_HELLO) return { kind: "not-tls" };
  if (bytes.length < 5 + size) return { kind: "more" };
  const hello = bytes.subarray(5, 5 + size);
  // A hello split over several records is legal and never seen in practice; it counts as nameless.
  if (hello[0] !== 1 || u24(hello, 1) + 4 > hello.length) return { kind: "hello", serverName: null };
  return { kind: "hello", serverName: serverName(hello) };
}

/** type 1, length 3, version 2, random 32, then session id, cipher suites, compression, extensions. */
function serverName(hello: Uint8Array): string | null {
  let at = 38;
  at += 1 + (hello[at] ?? 0);
  at += 2 + u16(hello, at);
  at += 1 + (hello[at] ?? 0);
  const end = Math.min(hello.length, at + 2 + u16(hello, at));
  at += 2;
  while (at + 4 <= end) {
    const [type, size] = [u16(hello, at), u16(hello, at + 2)];
    if (type === 0 && hello[at + 6] === 0) {
      const name = hello.subarray(at + 9, at + 9 + u16(hello, at + 7));
      return at + 9 + name.length <= end && name.length > 0
        ? new TextDecoder("latin1").decode(name).toLowerCase()
        : null;
    }
    at += 4 + size;
  }
  return null;
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
function u24(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 16) | u16(bytes, at + 1);
}
