import type { ToolCall } from "@smooth/protocol/operator";
import type { AccessRequest } from "@smooth/protocol/policy";
import { tools } from "./built-in/all.ts";
import { pathInRoot } from "./workspace/workspace.ts";

/** What a call to a built-in tool needs, in Wonk's words. The same schemas that run the call read it here, so that what is
 *  judged is what runs (A1). Arguments no schema takes need nothing beyond the tool itself: such a call can only fail.
 *  Paths are resolved by words; where links lead inside the guest, only the guest knows. */
export function accessOf(call: Pick<ToolCall, "name" | "args">, root: string): AccessRequest[] {
  const args = parseJson(call.args);
  return [{ kind: "tool", name: call.name.slice(0, 100) }, ...needs(call.name, args, (path) => absolute(root, path))];
}

function needs(name: string, args: unknown, at: (path: string) => string): AccessRequest[] {
  switch (name) {
    case "read":
    case "list":
    case "grep": {
      const parsed = tools[name].schema.safeParse(args);
      return parsed.success ? [{ kind: "read", path: at(parsed.data.path ?? ".") }] : [];
    }
    case "write":
    case "edit": {
      const parsed = tools[name].schema.safeParse(args);
      return parsed.success ? [{ kind: "write", path: at(parsed.data.path) }] : [];
    }
    case "bash": {
      const parsed = tools.bash.schema.safeParse(args);
      if (!parsed.success) return [];
      const { cmd, args: words, opts } = parsed.data;
      const command: AccessRequest = { kind: "command", command: words ? [cmd, ...words].map(quote).join(" ") : cmd };
      return opts?.cwd === undefined ? [command] : [command, { kind: "read", path: at(opts.cwd) }];
    }
    default:
      return [];
  }
}

/** Without `..`, also outside the root, so that the rule that refuses it can name the place. */
function absolute(root: string, path: string): string {
  return `/${pathInRoot("/", path.startsWith("/") ? path : `${root}/${path}`) ?? ""}`;
}

const quote = (word: string): string => (/^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

function parseJson(text: string): unknown {
  try {
    return text.trim() === "" ? {} : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}
