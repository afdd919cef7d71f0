import { createGatewayClient } from "@smooth/gateway/client";
import { SmoothError } from "@smooth/protocol/errors";

/** The host this page came from. The session cookie travels by itself. */

/** How the line to the host is, as the last answer or stream told. */
export type Line =
  | { readonly kind: "up" }
  /** Nothing answers: this device, its network, or the edge. */
  | { readonly kind: "silent"; readonly sinceMs: number }
  /** The edge answers, the host does not. */
  | { readonly kind: "host-away"; readonly sinceMs: number };

let line: Line = { kind: "up" };
const readers = new Set<() => void>();

export const readLine = (): Line => line;
export const watchLine = (wake: () => void): (() => void) => {
  readers.add(wake);
  return () => void readers.delete(wake);
};

function tell(trouble: SmoothError | null): void {
  const kind = trouble === null ? "up" : trouble.cause === undefined ? "host-away" : "silent";
  if (kind === line.kind) return;
  line = kind === "up" ? { kind } : { kind, sinceMs: Date.now() };
  for (const wake of readers) wake();
}

const client = createGatewayClient({ baseUrl: "", onLine: tell });

export const host: typeof client = {
  stream: client.stream,
  async call(method, input, signal) {
    try {
      const answer = await client.call(method, input, signal);
      tell(null);
      return answer;
    } catch (error) {
      if (error instanceof SmoothError && error.code === "HOST_OFFLINE") tell(error);
      throw error;
    }
  },
};

export const isSignedOut = (error: unknown): boolean =>
  error instanceof SmoothError && error.code === "UNAUTHENTICATED";

/** Ends this session on the host; the cookie is gone with it. */
export async function signOut(): Promise<void> {
  await fetch("/_session", { method: "DELETE" });
  location.replace("/");
}
