import type { Tool } from "../define-tool.ts";
import { bash, grep } from "./commands.ts";
import { edit, list, read, write } from "./files.ts";

/** Every built-in tool by name. */
export const tools = { read, write, edit, grep, bash, list } as const satisfies Record<string, Tool>;
