import { expect, test } from "vitest";
import type { Workspace } from "./workspace.ts";

/** Every Workspace passes these. `open` gets files and returns a fresh workspace holding them. */
export function runWorkspaceContract(open: (files: Record<string, string>) => Promise<Workspace>): void {
  const text = async (workspace: Workspace, path: string): Promise<string> => {
    const bytes = await workspace.read(path, 1_000);
    return bytes.kind === "ok" ? new TextDecoder().decode(bytes.value) : bytes.reason;
  };
  const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

  test("reads by relative and by absolute path", async () => {
    await using workspace = await open({ "src/a.txt": "hello" });

    expect(await text(workspace, "src/a.txt")).toBe("hello");
    expect(await text(workspace, "./src/../src//a.txt")).toBe("hello");
    expect(await text(workspace, `${workspace.root}/src/a.txt`)).toBe("hello");
  });

  test.each(["../x", "a/../../x", "/etc/passwd", "a\0b"])(
    "R1: %j is outside for read, write and list",
    async (path) => {
      await using workspace = await open({ "a/b.txt": "" });

      expect(await workspace.read(path, 1_000)).toMatchObject({ reason: "outside" });
      expect(await workspace.write(path, bytes("x"))).toMatchObject({ reason: "outside" });
      expect(await workspace.list(path)).toMatchObject({ reason: "outside" });
    },
  );

  test("a sibling that shares the root's name as a prefix is outside", async () => {
    await using workspace = await open({});

    expect(await workspace.read(`${workspace.root}-other/x`, 10)).toMatchObject({ reason: "outside" });
  });

  test("writes into new folders and replaces the whole content", async () => {
    await using workspace = await open({ "a.txt": "a long content" });

    await workspace.write("a.txt", bytes("short"));
    await workspace.write("new/deep/b.txt", bytes("b"));

    expect(await text(workspace, "a.txt")).toBe("short");
    expect(await workspace.list("new")).toEqual({ kind: "ok", value: ["deep/"] });
  });

  test("says what is missing, too large, a folder, a file", async () => {
    await using workspace = await open({ "src/a.txt": "hello" });

    expect(await workspace.read("none", 10)).toMatchObject({ reason: "missing" });
    expect(await workspace.read("src/a.txt", 4)).toMatchObject({ reason: "too-large" });
    expect(await workspace.read("src", 10)).toMatchObject({ reason: "not-a-file" });
    expect(await workspace.write("src", bytes("x"))).toMatchObject({ reason: "not-a-file" });
    expect(await workspace.list("src/a.txt")).toMatchObject({ reason: "not-a-folder" });
  });
}
