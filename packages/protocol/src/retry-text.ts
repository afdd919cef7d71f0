/** What people read of an attempt that failed and is made again: tasks are tried without end unless their author says otherwise. */
export interface Retry {
  readonly attempt: number;
  readonly error: string;
  readonly delayMs: number;
}

export const retryText = ({ attempt, error, delayMs }: Retry): string =>
  `attempt ${attempt} failed: ${error}; next try in ${duration(delayMs)}; ${HOW_TO_STOP}`;

export const HOW_TO_STOP = "retries={0} to stop";

function duration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, ms)} ms`;
  return ms < 120_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`;
}
