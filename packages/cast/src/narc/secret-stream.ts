/** Watches a stream for known secrets, whole or split over chunks, plain or in the usual encodings.
 *  K1. No byte of a found secret is passed on, wherever the chunks were cut (from `minHold` bytes on).
 *  K2. Only a tail that could be the start of a secret is held back, so a stream never stalls for longer than that. */

export interface SecretStream {
  /** What may go on now, and how many secrets were cut out of it. */
  push(chunk: string): { readonly text: string; readonly hits: number };
  end(): { readonly text: string; readonly hits: number };
}

export interface SecretStreamOptions {
  readonly replacement: string;
  /** Tails shorter than this are not held: a live tunnel cannot wait for a byte that looks like a beginning. */
  readonly minHold?: number;
}

export function watchSecrets(
  secrets: readonly string[],
  { replacement, minHold = 1 }: SecretStreamOptions,
): SecretStream {
  const needles = secretForms(secrets);
  let held = "";
  return {
    push(chunk) {
      const { text, hits } = cutOut(held + chunk, needles, replacement);
      const hold = heldTail(text, needles, minHold);
      held = text.slice(text.length - hold);
      return { text: text.slice(0, text.length - hold), hits };
    },
    end() {
      const text = held;
      held = "";
      return { text, hits: 0 };
    },
  };
}

export function holdsSecret(text: string, secrets: readonly string[]): boolean {
  return secretForms(secrets).some((needle) => text.includes(needle));
}

/** Shorter ones would match by accident. */
const MIN_SECRET = 8;

/** Plain, percent-encoded, hex, and base64 at each of its three alignments. */
export function secretForms(secrets: readonly string[]): string[] {
  const forms = secrets
    .filter((secret) => secret.length >= MIN_SECRET)
    .flatMap((secret) => {
      const bytes = Array.from(new TextEncoder().encode(secret), (byte) => String.fromCharCode(byte)).join("");
      const hex = Array.from(bytes, (char) => char.charCodeAt(0).toString(16).padStart(2, "0")).join("");
      const base64 = [0, 1, 2].map((shift) => base64Core(bytes, shift));
      return [
        secret,
        bytes,
        encodeURIComponent(secret),
        hex,
        hex.toUpperCase(),
        ...base64,
        ...base64.map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
      ];
    });
  return [...new Set(forms)].filter((form) => form.length >= MIN_SECRET).toSorted((a, b) => b.length - a.length);
}

/** The characters of a base64 text that depend on the secret alone when it starts `shift` bytes into a group. */
function base64Core(bytes: string, shift: number): string {
  const encoded = btoa("\0".repeat(shift) + bytes);
  return encoded.slice(shift === 0 ? 0 : shift + 1, Math.floor(((shift + bytes.length) * 8) / 6));
}

function cutOut(text: string, needles: readonly string[], replacement: string): { text: string; hits: number } {
  let hits = 0;
  let clean = text;
  for (const needle of needles) {
    const pieces = clean.split(needle);
    hits += pieces.length - 1;
    if (pieces.length > 1) clean = pieces.join(replacement);
  }
  return { text: clean, hits };
}

/** K2 */
function heldTail(text: string, needles: readonly string[], minHold: number): number {
  let longest = 0;
  for (const needle of needles) {
    for (let size = Math.min(needle.length - 1, text.length); size > Math.max(longest, minHold - 1); size -= 1) {
      if (text.endsWith(needle.slice(0, size))) longest = size;
    }
  }
  return longest;
}
