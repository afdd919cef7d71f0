import { pathInRoot, type Access, type Command, type Exit, type Workspace } from "./workspace.ts";

/** A workspace in memory for tests: files in a map, commands answered by a function. */
export function openMemoryWorkspace(
  files: Readonly<Record<string, string>> = {},
  answer: (command: Command) => Exit | Promise<Exit> = () => ({ kind: "not-started", message: "no programs here" }),
): Workspace {
  const root = "/workspace";
  const held = new Map<string, Uint8Array>(
    Object.entries(files).map(([path, text]) => [path, new TextEncoder().encode(text)]),
  );
  const at = (path: string): Access<string> => {
    const inner = pathInRoot(root, path);
    return inner === null
      ? { kind: "refused", reason: "outside", message: `${path} is outside the workspace ${root}` }
      : { kind: "ok", value: inner };
  };
  const isFolder = (inner: string): boolean =>
    inner === "" || [...held.keys()].some((path) => path.startsWith(`${inner}/`));

  return {
    root,
    read: async (path, maxBytes) => {
      const place = at(path);
      if (place.kind === "refused") return place;
      const bytes = held.get(place.value);
      if (isFolder(place.value))
        return { kind: "refused", reason: "not-a-file", message: `${path}: not a regular file` };
      if (!bytes) return { kind: "refused", reason: "missing", message: `${path}: no such file or folder` };
      if (bytes.length > maxBytes)
        return {
          kind: "refused",
          reason: "too-large",
          message: `${path} has ${bytes.length} bytes, the limit is ${maxBytes}`,
        };
      return { kind: "ok", value: bytes };
    },
    write: async (path, bytes) => {
      const place = at(path);
      if (place.kind === "refused") return place;
      if (isFolder(place.value))
        return { kind: "refused", reason: "not-a-file", message: `${path}: not a regular file` };
      held.set(place.value, bytes);
      return { kind: "ok", value: null };
    },
    list: async (path) => {
      const place = at(path);
      if (place.kind === "refused") return place;
      if (held.has(place.value)) return { kind: "refused", reason: "not-a-folder", message: `${path}: not a folder` };
      if (!isFolder(place.value))
        return { kind: "refused", reason: "missing", message: `${path}: no such file or folder` };
      const prefix = place.value === "" ? "" : `${place.value}/`;
      const inside = [...held.keys()]
        .filter((name) => name.startsWith(prefix))
        .map((name) => name.slice(prefix.length));
      return { kind: "ok", value: [...new Set(inside.map(firstStep))].toSorted() };
    },
    run: async (command) => answer(command),
    [Symbol.asyncDispose]: async () => {},
  };
}

function firstStep(path: string): string {
  const slash = path.indexOf("/");
  return slash < 0 ? path : path.slice(0, slash + 1);
}
