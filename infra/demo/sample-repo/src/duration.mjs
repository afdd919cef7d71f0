const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
];

/** "1h30m" → 5400000. Throws a RangeError for text that is not a duration. */
export function parseDuration(text) {
  if (!/^(?=\d)(\d+d)?(\d+h)?(\d+m)?(\d+s)?$/.test(text)) throw new RangeError(`not a duration: "${text}"`);
  let seconds = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)([dhms])/g)) {
    seconds += Number(count) * new Map(UNITS).get(unit);
  }
  return seconds * 1000;
}

/** 5400000 → "1h30m". Part seconds are rounded. */
export function formatDuration(ms) {
  if (!(ms >= 0)) throw new RangeError(`not a duration: ${ms}`);
  let rest = Math.floor(ms / 1000);
  let text = "";
  for (const [unit, seconds] of UNITS) {
    const count = Math.floor(rest / seconds);
    rest -= count * seconds;
    if (count > 0) text += `${count}${unit}`;
  }
  return text || "0s";
}
