/** Namespaces as text, `kind:id`, there and back for every id: `:` and `%` inside it are percent-encoded. */
import { SmoothError } from "@smooth/protocol/errors";
import type { MemoryNamespace, MemoryNamespaceKind } from "./port.ts";

const KINDS: readonly MemoryNamespaceKind[] = ["workflow", "agent", "user", "global"];

export const namespaceToString = ({ kind, id }: MemoryNamespace): string =>
  `${kind}:${id.replaceAll("%", "%25").replaceAll(":", "%3A")}`;

/** Throws INVALID_INPUT. */
export function parseNamespace(text: string): MemoryNamespace {
  const at = text.indexOf(":");
  const kind = KINDS.find((known) => known === text.slice(0, at));
  const id = text.slice(at + 1);
  if (kind !== undefined && id !== "") return { kind, id: id.replaceAll("%3A", ":").replaceAll("%25", "%") };
  const forms = KINDS.map((known) => `${known}:<id>`).join(", ");
  throw new SmoothError("INVALID_INPUT", `${JSON.stringify(text)} is not a memory namespace; write one of ${forms}`);
}
