import type { Clock } from "@smooth/platform/ports";
import type { Caller } from "@smooth/protocol/gateway";
import type { Authenticate, Credentials } from "./auth.ts";

/** Every open stream and socket, and who holds it.
 *  C1. Twice a second each is asked again who it is; one whose answer changed is cut. So revoking cuts within 1 s. */
export interface Connections {
  /** `cut` must not throw. Dispose when the connection ends by itself. */
  add(connection: Connection): Disposable;
  list(): readonly Caller[];
  /** Runs until `signal`. */
  watch(authenticate: Authenticate, signal: AbortSignal): Promise<void>;
}

export interface Connection {
  readonly credentials: Credentials;
  readonly caller: Caller;
  readonly cut: () => void;
}

const CHECK_EVERY_MS = 500;

export function createConnections(clock: Clock): Connections {
  const open = new Set<Connection>();
  const check = (authenticate: Authenticate): void => {
    for (const connection of open) {
      const { credentials, caller, cut } = connection;
      const now = authenticate(credentials);
      if (now?.role === caller.role && now.name === caller.name) continue;
      open.delete(connection);
      cut();
    }
  };
  return {
    add(connection) {
      open.add(connection);
      return { [Symbol.dispose]: () => void open.delete(connection) };
    },
    list: () => [...open].map(({ caller }) => caller),
    async watch(authenticate, signal) {
      while (!signal.aborted) {
        check(authenticate);
        await clock.sleep(CHECK_EVERY_MS, signal).catch(() => {
          // The signal ended the sleep; the loop's condition sees it.
        });
      }
    },
  };
}
