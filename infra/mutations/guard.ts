/** A guard: a few words of source that keep an invariant, and the test that fails without them.
 *  G1. The words occur exactly once in their file, so that a mutation changes what its author meant.
 *  G2. A test is named by its title as its file spells it; what is filled in when it runs (`%i`, `$name`, `${n}`) may be anything. */

export interface Guard {
  /** Room and invariant, unique: `schedule D1 order`. */
  readonly id: string;
  readonly text: string;
  /** What stands there without the guard. */
  readonly instead: string;
  /** The test that must fail. */
  readonly test: TestName;
}

export type TestName = readonly [file: string, title: string];

/** The guards of one source file. */
export interface GuardedFile {
  readonly file: string;
  readonly guards: readonly Guard[];
}

/** The source without the guard; undefined when the words are not there exactly once (G1). */
export function without({ text, instead }: Guard, source: string): string | undefined {
  const [before, after, ...more] = source.split(text);
  return before === undefined || after === undefined || more.length > 0 ? undefined : before + instead + after;
}

/** G2. Matches the titles a test has when it runs. */
export function pattern(title: string): string {
  const fixed = title.split(/%[isdjo]|\$\{[^}]*\}|\$\w+/);
  return fixed.map((part) => part.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`)).join(".*");
}
