/** In-process wake-ups, one set of listeners per run. A hint only: rows are the truth. */
export interface Watchers {
  watch(runId: string, listener: () => void): () => void;
  notify(runId: string): void;
  notifyAll(): void;
}

export function watchers(): Watchers {
  const listeners = new Map<string, Set<() => void>>();
  const notify = (runId: string): void => {
    const own = listeners.get(runId);
    if (own) queueMicrotask(() => own.forEach((listener) => listener()));
  };
  return {
    watch(runId, listener) {
      const own = listeners.get(runId) ?? new Set();
      listeners.set(runId, own.add(listener));
      return () => {
        own.delete(listener);
        if (own.size === 0 && listeners.get(runId) === own) listeners.delete(runId);
      };
    },
    notify,
    notifyAll: () => [...listeners.keys()].forEach(notify),
  };
}
