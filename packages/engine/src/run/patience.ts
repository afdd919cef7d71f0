/** A store that cannot write now, because the disk is full or somebody holds its lock, is waited for.
 *  W1. What failed whole is tried again whole; what may have been written is not.
 *  W2. Somebody hears that it waits and why, and that it does no more. */
import type { Clock } from "@smooth/platform/ports";
import { unavailable, type Unavailable } from "../store/unavailable.ts";
import type { Stop } from "../task/stop.ts";

const RETRY_MS = 250;

export interface Patience {
  readonly clock: Clock;
  readonly onWait: (on: Unavailable | null) => void;
  /** Nobody waits any more: the failure is passed on. */
  readonly leaving: Stop;
}

export async function patiently<T>(write: () => Promise<T>, patience: Patience): Promise<T> {
  const { clock, onWait, leaving } = patience;
  for (let waited = false; ; waited = true) {
    try {
      const result = await write();
      if (waited) onWait(null);
      return result;
    } catch (error) {
      const on = unavailable(error);
      if (on === null || leaving.aborted) throw error; // W1
      onWait(on);
    }
    await clock.sleep(RETRY_MS, leaving.signal).catch(() => {});
  }
}
