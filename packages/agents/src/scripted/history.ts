/** What a request says has happened so far. A scripted persona has no memory but this: a resumed or repeated request gets the
 *  same turn. Each dialect reads its own (dialects/). */

export interface PastCall {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** Null while nobody answered it. */
  readonly result: string | null;
}

export interface History {
  /** The person's words, first to last. */
  readonly asked: readonly string[];
  readonly calls: readonly PastCall[];
  readonly tools: ReadonlySet<string>;
  /** Assistant messages so far. */
  readonly turns: number;
}
