import type { Clock, Log, Postgres } from "@smooth/platform/ports";

/** Wakes readers the moment something changed; the rows themselves are read from the database.
 *  B1. A change published while a reader works is not lost: it reads once more before it sleeps.
 *  B2. Nobody depends on the bus: a reader also looks again every `pollMs`, which finds what no word came about. */

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

class Readers {
  readonly #byTopic = new Map<string, Set<() => void>>();

  add(topic: string, wake: () => void): () => void {
    const set = this.#byTopic.get(topic) ?? new Set();
    this.#byTopic.set(topic, set.add(wake));
    return () => {
      set.delete(wake);
      if (set.size === 0 && this.#byTopic.get(topic) === set) this.#byTopic.delete(topic);
    };
  }

  wake(topic: string): void {
    for (const wake of this.#byTopic.get(topic) ?? []) wake();
  }

  wakeAll(): void {
    for (const topic of this.#byTopic.keys()) this.wake(topic);
  }
}

/** For one process alone. */
export function memoryBus(): Bus {
  const readers = new Readers();
  return {
    publish: (topic) => readers.wake(topic),
    subscribe: (topic, wake) => readers.add(topic, wake),
  };
}

const CHANNEL = "smooth_changes";

/** Over all processes that share the database. `local` wakes at once; the others hear by NOTIFY.
 *  Publishing never fails: a word that cannot be sent costs the others a poll (B2). */
export function sharedBus(postgres: Pick<Postgres, "name" | "query" | "listen">, log: Log): Bus {
  const readers = new Readers();
  const missed = (error: unknown): void => log.warn("bus.unheard", { error: String(error) });
  postgres
    .listen(CHANNEL, (payload) => {
      const [from = "", topic] = payload?.split(" ") ?? [];
      if (topic === undefined) readers.wakeAll(); // the connection was away: anything may have changed
      else if (from !== postgres.name) readers.wake(topic);
    })
    .catch(missed);
  return {
    publish: (topic) => {
      readers.wake(topic);
      postgres.query("SELECT pg_notify($1, $2)", [CHANNEL, `${postgres.name} ${topic}`]).catch(missed);
    },
    subscribe: (topic, wake) => readers.add(topic, wake),
  };
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
