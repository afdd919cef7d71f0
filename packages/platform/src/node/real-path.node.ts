/** One file has many names: links lead to it, and some file systems ignore letter case. Who protects a file asks for all of them. */
import { realpathSync } from "node:fs";

/** Where the links of a path lead; what does not exist keeps its name. */
export function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** As file systems that ignore letter case compare names. */
export const foldCase = (path: string): string => path.toLowerCase();
