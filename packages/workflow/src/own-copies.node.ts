/** What a process that runs the bundle has a copy of, by the URL of its source. It is empty in a process that runs the sources;
 *  scripts/bundle.mjs writes the table of its bundle in its place. */
export const OWN_COPIES: ReadonlyMap<string, string> = new Map();
/** Where the bundle lies. */
export const OWN_FOLDER: string | null = null;
