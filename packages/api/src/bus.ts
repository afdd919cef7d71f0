import type { Clock } from "@smooth/platform/ports";

/** Wakes readers the moment something changed; the rows themselves are read from the database.
 *  B1. A change published while a reader works is not lost: it reads once more before it sleeps.
 *  B2. Nobody depends on the bus: a reader also looks again every `pollMs`, which is how other processes' changes arrive. */

export interface Bus {
  publish(topic: string): void;
  /** Returns the way to stop. */
  subscribe(topic: string, wake: () => void): () => void;
}

export const topics = {
  host: (hostId: string) => `host:${hostId}`,
  run: (orgId: string, runId: string) => `run:${orgId}:${runId}`,
  org: (orgId: string) => `org:${orgId}`,
};

export function memoryBus(): Bus {
  const readers = new Map<string, Set<() => void>>();
  return {
    publish: (topic) => {
      for (const wake of readers.get(topic) ?? []) wake();
    },
    subscribe: (topic, wake) => {
      const set = readers.get(topic) ?? new Set();
      readers.set(topic, set.add(wake));
      return () => {
        set.delete(wake);
        if (set.size === 0 && readers.get(topic) === set) readers.delete(topic);
      };
    },
  };
}

const PROCESS_BUS = Symbol.for("smooth.api.bus");

/** One bus per process, also where a bundler gives every route its own copy of this module. */
export function processBus(): Bus {
  const world = globalThis as { [PROCESS_BUS]?: Bus };
  return (world[PROCESS_BUS] ??= memoryBus());
}

interface PulseDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly pollMs: number;
  readonly signal: AbortSignal;
}

/** One pulse at once, then one after every change or `pollMs`, until `signal`. Never rejects. */
export async function* pulses(topic: string, { bus, clock, pollMs, signal }: PulseDeps): AsyncGenerator<void> {
  let changed = true;
  let wake = (): void => undefined;
  const unsubscribe = bus.subscribe(topic, () => {
    changed = true;
    wake();
  });
  try {
    while (!signal.aborted) {
      if (!changed) await either(clock, { pollMs, signal, onWake: (resolve) => (wake = resolve) });
      changed = false; // B1: from here on a publish makes the next turn immediate
      if (!signal.aborted) yield;
    }
  } finally {
    unsubscribe();
  }
}

async function either(
  clock: Clock,
  { pollMs, signal, onWake }: { pollMs: number; signal: AbortSignal; onWake: (resolve: () => void) => void },
): Promise<void> {
  const done = new AbortController();
  const slept = clock.sleep(pollMs, AbortSignal.any([signal, done.signal])).catch(() => undefined);
  await Promise.race([new Promise<void>(onWake), slept]);
  done.abort();
}
