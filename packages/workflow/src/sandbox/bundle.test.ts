/** What a guest that owns its kernel may try: its `find` and `tar` say what it likes. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BundleFile } from "@smooth/engine/sandboxes";
import { systemIds } from "@smooth/platform/node/system";
import { ManualClock } from "@smooth/platform/testing";
import { fakeDriver } from "@smooth/vm/fake";
import { expect, onTestFinished, test } from "vitest";
import { applyFiles } from "./apply.node.ts";
import { collect } from "./collect.node.ts";
import { stampOf } from "./workspace.node.ts";

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), "bundle-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

type Said = Readonly<Record<string, string | { readonly link: string }>>;

const ALL: (path: string) => string | null = () => null;

interface Listed {
  readonly changed: readonly string[];
  readonly deleted: readonly string[];
}

/** A guest with these files, which answers every question about them with all it has. */
async function collected(said: Said, how: Partial<Parameters<typeof collect>[1] & Listed> = {}) {
  const { changed = Object.keys(said), deleted = [], ...rest } = how;
  const vm = await fakeDriver({ clock: new ManualClock(0), ids: systemIds }).create({ name: "forger" });
  for (const [path, what] of Object.entries(said)) {
    await vm.writeFile(`${vm.workspace}/${path}`, Buffer.from(typeof what === "string" ? what : ""));
    if (typeof what !== "string") await vm.exec({ argv: ["ln", "-s", what.link, path] }).outcome.then(() => {});
  }
  const honest = vm.getTree.bind(vm);
  vm.getTree = (asked) => honest({ ...asked, paths: ["."] });
  vm.changes = async () => ({ changed, deleted, stamp: new Map() });
  return collect(vm, { id: "box", root: scratch(), since: new Map(), seen: new Map(), refusal: ALL, ...rest });
}

test("B4: what nobody asked for is refused", async () => {
  await expect(collected({ "a.txt": "a", "workflow.tsx": "evil" }, { changed: ["a.txt"] })).rejects.toThrow(
    "workflow.tsx: nobody asked for it",
  );
});

test("B4: a path through a link of the bundle is refused", async () => {
  await expect(collected({ "d/f": "evil", "zz/f": "evil", zz: { link: "d" } })).rejects.toThrow("zz: it is no folder");
});

test.each([
  [{ zz: { link: "workflow.tsx" } }, "zz: it is a link to workflow.tsx: this run is made of it"],
  [{ "a/zz": { link: "../workflow.tsx" } }, "a/zz: it is a link to ../workflow.tsx: this run is made of it"],
  [{ d: { link: ".git" } }, "d: it is a link to .git, and nothing of that name"],
  [{ d: { link: "sub/.GIT/hooks" } }, "d: it is a link to sub/.GIT/hooks, and nothing of that name"],
  [{ ".GIT/hooks/pre-commit": "evil" }, ".GIT/hooks/pre-commit: nothing of that name"],
  [{ "a\n+++ b": "evil" }, "control characters"],
] as const)("J1, J2: %j is refused whole", async (said, says) => {
  const refusal = (path: string) => (path.endsWith("workflow.tsx") ? "this run is made of it" : null);
  await expect(collected({ "a.txt": "good", ...said }, { refusal })).rejects.toThrow(says);
});

test("a link to what could be written itself comes out", async () => {
  const { files } = await collected({ "a/f": "text", "a/l": { link: "f" } });
  expect(files.map(({ path, after }) => [path, after?.kind])).toEqual([
    ["a/f", "file"],
    ["a/l", "link"],
  ]);
});

const made = (path: string, content: string, kind: "file" | "link" = "file"): BundleFile => ({
  path,
  before: null,
  after: {
    kind,
    hash: createHash("sha256").update(content).digest("hex"),
    executable: false,
    content: Buffer.from(content).toString("base64"),
  },
});

test("W4: a bundle is not written through its own link, and nothing of it is written", async () => {
  const root = scratch();
  writeFileSync(join(root, "workflow.tsx"), "mine");
  const files = [made("a.txt", "a"), made("zz", ".", "link"), made("zz/workflow.tsx", "evil")];

  await expect(applyFiles(root, files)).rejects.toMatchObject({ code: "SANDBOX_BUNDLE_INVALID" });
  expect(readdirSync(root)).toEqual(["workflow.tsx"]);
  expect(readFileSync(join(root, "workflow.tsx"), "utf8")).toBe("mine");
});

test("W4: a bundle is not written through the link that an earlier one left", async () => {
  const root = scratch();
  mkdirSync(join(root, "other"));
  await applyFiles(root, [made("d", "other", "link")]);

  await expect(applyFiles(root, [made("d/f", "evil")])).rejects.toMatchObject({ code: "MERGE_CONFLICT" });
  expect(readdirSync(join(root, "other"))).toEqual([]);
});

test("W4: a link that comes while a bundle is written is not followed", async () => {
  const [root, outside] = [scratch(), scratch()];
  const many = Array.from({ length: 60 }, (_, n) => made(`a${n}`, "a"));
  const ended = Promise.allSettled([applyFiles(root, [...many, made("d/f", "evil")])]);
  // Looked for at every turn of the loop, of which each file takes several.
  while (!existsSync(join(root, "a0"))) await new Promise(setImmediate);
  symlinkSync(outside, join(root, "d"));

  expect(await ended).toMatchObject([{ status: "rejected", reason: { code: "MERGE_CONFLICT" } }]);
  expect(readdirSync(outside)).toEqual([]);
});

test.each([
  [0o600, false, 0o600],
  [0o600, true, 0o700],
  [0o640, true, 0o750],
  [0o664, false, 0o664],
  [0o750, false, 0o640],
])("W5: a file of mode %o that the sandbox left with executable: %s is %o", async (mode, executable, becomes) => {
  const root = scratch();
  const at = join(root, "f");
  writeFileSync(at, "old");
  chmodSync(at, mode);
  const { after, path } = made("f", "new");
  const before = { ...made("f", "old").after, kind: "file" as const, executable: (mode & 0o111) !== 0 };
  await applyFiles(root, [{ path, before: before as BundleFile["before"], after: after && { ...after, executable } }]);

  expect(readFileSync(at, "utf8")).toBe("new");
  expect(statSync(at).mode & 0o777).toBe(becomes);
});

const OLD: BundleFile = {
  path: "a",
  before: { ...made("a", "old").after, kind: "file" } as BundleFile["before"],
  after: null,
};

test("a file that became a folder is written so, and done again nothing is in its way", async () => {
  const root = scratch();
  writeFileSync(join(root, "a"), "old");
  await applyFiles(root, [OLD, made("a/b", "new")]);
  await applyFiles(root, [OLD, made("a/b", "new")]);

  expect(readFileSync(join(root, "a/b"), "utf8")).toBe("new");
});

test("a file that became a folder, and was changed meanwhile, refuses all", async () => {
  const root = scratch();
  writeFileSync(join(root, "a"), "mine");

  await expect(applyFiles(root, [OLD, made("a/b", "new")])).rejects.toMatchObject({ code: "MERGE_CONFLICT" });
  expect(readFileSync(join(root, "a"), "utf8")).toBe("mine");
});

const FOLDER: readonly BundleFile[] = [{ ...OLD, path: "d/a" }, { ...OLD, path: "d/e/b" }, made("d", "new")];
function withFolder(): string {
  const root = scratch();
  mkdirSync(join(root, "d/e"), { recursive: true });
  for (const path of ["d/a", "d/e/b"]) writeFileSync(join(root, path), "old");
  return root;
}

test("a folder that became a file is written so, and done again nothing is in its way", async () => {
  const root = withFolder();
  await applyFiles(root, FOLDER);
  await applyFiles(root, FOLDER);

  expect(readFileSync(join(root, "d"), "utf8")).toBe("new");
});

test("a folder that became a file comes out of a sandbox", async () => {
  const root = withFolder();
  const seen = new Map(
    await Promise.all(["d/a", "d/e/b"].map(async (path) => [path, String(await stampOf(root, path))] as const)),
  );
  const { files, patch } = await collected({ d: "new" }, { root, seen, deleted: ["d/a", "d/e/b"] });
  await applyFiles(root, files);

  expect(readFileSync(join(root, "d"), "utf8")).toBe("new");
  expect(patch).toContain("-old");
});

test("W6: a folder that holds what no sandbox saw stays, and nothing is written", async () => {
  const root = withFolder();
  writeFileSync(join(root, "d/e/.env"), "secret");

  await expect(applyFiles(root, FOLDER)).rejects.toThrow("d/e/.env");
  expect(readFileSync(join(root, "d/a"), "utf8")).toBe("old");
  expect(readFileSync(join(root, "d/e/.env"), "utf8")).toBe("secret");
});

test("W4: nothing is deleted through a link of the same bundle", async () => {
  const [root, outside] = [withFolder(), scratch()];
  for (const path of ["a", "b"]) writeFileSync(join(outside, path), "old");
  const links = [{ ...OLD, path: "d/a" }, { ...OLD, path: "d/e/b" }, made("d", outside, "link")];
  await applyFiles(root, links);
  await applyFiles(root, links);

  expect(readdirSync(outside).toSorted()).toEqual(["a", "b"]);
});

test("W3: a file of the longest name, and one called as a half-written one, are written whole", async () => {
  const root = scratch();
  const long = "n".repeat(255);
  writeFileSync(join(root, "a.smooth-part"), "mine");
  await applyFiles(root, [made(long, "long"), made("a", "new")]);

  expect([long, "a", "a.smooth-part"].map((path) => readFileSync(join(root, path), "utf8"))).toEqual([
    "long",
    "new",
    "mine",
  ]);
  expect(readdirSync(root)).toHaveLength(3);
});

test.each([
  ["a\u202Egpj.sh", "it as another"],
  ["a\u2028b", "it as another"],
  ["x/.smooth-part-0", "while it writes"],
])("J1: the name %j is refused", async (path, why) => {
  await expect(collected({ [path]: "x" })).rejects.toThrow(why);
});

test("J4: two names that some file system takes for one are refused, and a file may be called anew", async () => {
  await expect(collected({ "src/Key.ts": "harmless", "src/key.ts": "evil" })).rejects.toThrow("letter case only");
  await expect(collected({ "caf\u00e9": "harmless", "cafe\u0301": "evil" })).rejects.toThrow("letter case only");
  expect((await collected({ Readme: "new" }, { deleted: ["README"] })).files).toHaveLength(1);
});
