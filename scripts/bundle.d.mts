/** Entry name in the folder → source file. */
export type Entries = Readonly<Record<string, string>>;
export function bundle(folder: string, entries: Entries): Promise<void>;
/** Whether every input of what lies in the folder is as it was when it was built. */
export function isFresh(folder: string): boolean;
