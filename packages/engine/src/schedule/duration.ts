/** Durations as authors write them: "500ms", "30s", "1.5h", "1d 12h". */
const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const PART = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)/;

/** In whole milliseconds; undefined when the text is not a duration. */
export function parseDurationMs(text: string): number | undefined {
  let rest = text;
  let totalMs = 0;
  do {
    const [part, amount, unit] = PART.exec(rest) ?? [];
    if (part === undefined) return undefined;
    totalMs += Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
    rest = rest.slice(part.length);
  } while (rest.trim() !== "");
  return Math.round(totalMs);
}
