/** How found facts are ordered: BM25 over words, cosine over vectors, and both fused by their ranks. */

const K1 = 1.2;
const B = 0.75;

export interface Document {
  readonly key: string;
  readonly words: readonly string[];
}

/** Okapi BM25 as SQLite's FTS5 computes it; documents that hold none of the words are left out. */
export function bm25(documents: readonly Document[], query: readonly string[]): string[] {
  const average = documents.reduce((sum, { words }) => sum + words.length, 0) / Math.max(1, documents.length);
  const weights = [...new Set(query)].map((word) => {
    const holders = documents.filter(({ words }) => words.includes(word)).length;
    const idf = Math.log((documents.length - holders + 0.5) / (holders + 0.5));
    return { word, idf: Math.max(idf, 1e-6) };
  });
  const score = ({ words }: Document): number =>
    weights.reduce((sum, { word, idf }) => {
      const times = words.filter((other) => other === word).length;
      return sum + (idf * times * (K1 + 1)) / (times + K1 * (1 - B + (B * words.length) / average));
    }, 0);
  return ordered(documents.map((document) => ({ key: document.key, score: score(document) })));
}

export function cosine(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return 0;
  let dot = 0;
  let lengthA = 0;
  let lengthB = 0;
  for (const [at, x] of a.entries()) {
    const y = b[at] ?? 0;
    dot += x * y;
    lengthA += x * x;
    lengthB += y * y;
  }
  return lengthA === 0 || lengthB === 0 ? 0 : dot / Math.sqrt(lengthA * lengthB);
}

/** Positive scores, the best first; equal ones by key, so that the answer is the same every time. */
export const ordered = (scored: readonly { readonly key: string; readonly score: number }[]): string[] =>
  scored
    .filter(({ score }) => score > 0)
    .toSorted((a, b) => b.score - a.score || (a.key < b.key ? -1 : 1))
    .map(({ key }) => key);

/** Reciprocal rank fusion: a key that stands high in several rankings stands highest. */
export function fuse(rankings: readonly (readonly string[])[]): string[] {
  const scores = new Map<string, number>();
  for (const ranking of rankings)
    for (const [rank, key] of ranking.entries()) scores.set(key, (scores.get(key) ?? 0) + 1 / (60 + rank));
  return ordered([...scores].map(([key, score]) => ({ key, score })));
}
