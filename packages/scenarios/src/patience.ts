import { vi } from "vitest";

/** An effect is waited for as long as a busy computer may need; how fast it comes is what infra/bench tells. */
const PATIENCE_MS = 120_000;

export const eventually = <T>(look: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(look, { timeout: PATIENCE_MS, interval: 50 });
