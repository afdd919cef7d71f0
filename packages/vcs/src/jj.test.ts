import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  getJjPointer,
  isJjRepo,
  revertToJjPointer,
  runJj,
  workspaceAdd,
  workspaceClose,
  workspaceList,
} from "./jj.node.ts";
import { findJj } from "./testing/jj.ts";

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "smooth-jj-helpers-")));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

test("where jj cannot be started everything says so, and nothing throws", async () => {
  vi.stubEnv("PATH", folder);

  expect(await runJj(["status"], { cwd: folder })).toMatchObject({ code: 127, stdout: "" });
  expect([await isJjRepo(folder), await getJjPointer(folder), await workspaceList(folder)]).toEqual([false, null, []]);
  expect(await workspaceAdd("a", join(folder, "a"), { cwd: folder })).toMatchObject({ success: false });
});

const jj = findJj();
describe.skipIf(jj === null)(`with jj${jj === null ? " (skipped: no jj binary on this machine)" : ""}`, () => {
  beforeEach(() => vi.stubEnv("PATH", `${jj}${delimiter}${process.env["PATH"]}`));

  test("a folder outside a repository is none; a refusal of jj is its exit code and its words", async () => {
    expect([await isJjRepo(folder), await getJjPointer(folder)]).toEqual([false, null]);
    expect(await runJj(["no-such-command"], { cwd: folder })).toMatchObject({ code: 2, stdout: "" });
    expect(await revertToJjPointer("zqkopwvn", folder)).toMatchObject({ success: false });
  });

  test("files go back to a pointer", async () => {
    const cwd = join(folder, "repo");
    await runJj(["git", "init", cwd], { cwd: folder });
    writeFileSync(join(cwd, "a.txt"), "one");
    const pointer = (await getJjPointer(cwd)) ?? "";
    await runJj(["new"], { cwd });
    writeFileSync(join(cwd, "a.txt"), "two");

    expect(await revertToJjPointer(pointer, cwd)).toEqual({ success: true });

    expect(readFileSync(join(cwd, "a.txt"), "utf8")).toBe("one");
    expect(await getJjPointer(cwd)).not.toBe(pointer);
  });

  test("workspaces are made, listed with their folders, made again under the same name, and forgotten", async () => {
    const cwd = join(folder, "repo");
    await runJj(["git", "init", cwd], { cwd: folder });

    expect(await workspaceAdd("auth", join(folder, "deep/auth"), { cwd, atRev: "@" })).toEqual({ success: true });
    expect(await workspaceList(cwd)).toEqual([
      { name: "auth", path: join(folder, "deep/auth"), selected: false },
      { name: "default", path: cwd, selected: true },
    ]);
    expect(await workspaceAdd("auth", join(folder, "auth-2"), { cwd })).toEqual({ success: true });
    expect((await workspaceList(cwd)).map(({ path }) => path)).toEqual([join(folder, "auth-2"), cwd]);
    expect(await workspaceClose("auth", { cwd })).toEqual({ success: true });
    expect((await workspaceList(cwd)).map(({ name }) => name)).toEqual(["default"]);
  });
});
