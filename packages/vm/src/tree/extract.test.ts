import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "@smooth/platform/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { extractTree, removePaths } from "./extract.ts";
import { linkStaysInside, matcher } from "./paths.ts";
import { tarHeader, TAR_BLOCK, type TarMember, tarOf } from "./tar-write.ts";

let outside: string;
let to: string;
beforeEach(async () => {
  outside = await mkdtemp(join(tmpdir(), "vm-extract-"));
  to = join(outside, "root");
});
afterEach(() => rm(outside, { recursive: true, force: true }));

const member = (path: string, rest: Partial<TarMember> & { body?: string } = {}): Buffer => {
  const body = Buffer.from(rest.body ?? "");
  const header = tarHeader({ path, type: "0", mode: 0o644, sizeBytes: body.length, mtimeMs: 0, ...rest });
  return Buffer.concat([header, body, Buffer.alloc((TAR_BLOCK - (body.length % TAR_BLOCK)) % TAR_BLOCK)]);
};
const link = (path: string, target: string): Buffer => member(path, { type: "2", target });
/** Types our own writer never writes: the type byte is set afterwards and the checksum made right. */
const odd = (path: string, type: string, target = ""): Buffer => {
  const block = member(path, { target });
  block.write(type, 156, "latin1");
  block.write("        ", 148, "latin1");
  block.write(
    `${block
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
    "latin1",
  );
  return block;
};
async function* stream(...parts: Buffer[]): AsyncGenerator<Buffer> {
  yield Buffer.concat([...parts, Buffer.alloc(TAR_BLOCK * 2)]);
}
const onlyRootIsThere = async (): Promise<void> => expect(await readdir(outside)).toEqual(["root"]);

test.each(["../up", "a/../../up", "/etc/th-escape", "a/b/../../../up", "..", "x\0y/../../z"])(
  "a member named %j writes nothing outside",
  async (path) => {
    const report = await extractTree(stream(member(path, { body: "evil" })), { to });

    expect(report.files === 0 || (await readdir(to)).length === 1).toBe(true);
    await onlyRootIsThere();
  },
);

test.each(["/etc/passwd", "..", "../..", "a/../../x", "a/..", "sub/../../../x", ""])(
  "E1: a link to %j is refused",
  async (target) => {
    const report = await extractTree(stream(link("l", target)), { to });

    expect(report.refused).toEqual([{ path: "l", reason: "link leaves the tree" }]);
    expect(await readdir(to)).toEqual([]);
  },
);

test("E2 and E3: nothing is written through a link, of this tar or from before", async () => {
  await mkdir(to);
  await mkdir(join(outside, "target"));
  await symlink(join(outside, "target"), join(to, "old"));
  const report = await extractTree(
    stream(link("new", "dir"), member("new/file", { body: "1" }), member("old/file", { body: "2" }), member("dir/x")),
    { to },
  );

  expect(await readdir(join(outside, "target"))).toEqual([]);
  expect(report.refused).toContainEqual({ path: "old/file", reason: "a link is on the way" });
  expect(await readFile(join(to, "new", "x"), "utf8")).toBe("");
});

test("a file in place of a link replaces the link, not what it points to", async () => {
  await mkdir(to);
  await writeFile(join(outside, "victim"), "untouched");
  await symlink("../victim", join(to, "file"));
  await extractTree(stream(member("file", { body: "mine" })), { to });

  expect(await readFile(join(outside, "victim"), "utf8")).toBe("untouched");
  expect(await readFile(join(to, "file"), "utf8")).toBe("mine");
});

test("E1: hard links, devices, pipes and types nobody knows are refused and named", async () => {
  const report = await extractTree(
    stream(
      odd("hard", "1", "/etc/passwd"),
      odd("chr", "3"),
      odd("blk", "4"),
      odd("fifo", "6"),
      odd("what", "Z"),
      member("fine"),
    ),
    { to },
  );

  expect(report.refused.map(({ path }) => path)).toEqual(["hard", "chr", "blk", "fifo", "what"]);
  expect(await readdir(to)).toEqual(["fine"]);
});

test("E4: setuid and world-writable do not survive", async () => {
  await extractTree(stream(odd("a", "0")), { to });
  await extractTree(stream(member("suid", { mode: 0o6777 })), { to });

  expect((await lstat(join(to, "suid"))).mode & 0o7777).toBe(0o755);
});

describe("E5: caps", () => {
  test("bytes, announced or sent", async () => {
    await expect(
      extractTree(stream(member("a", { body: "x".repeat(600) }), member("b", { body: "x".repeat(600) })), {
        to,
        maxBytes: 1_000,
      }),
    ).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    expect(await readdir(to)).toEqual(["a"]);
  });

  test("entries", async () => {
    await expect(
      extractTree(stream(...["a", "b", "c"].map((name) => member(name))), { to, maxEntries: 2 }),
    ).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
  });

  test("endless padding after the end", async () => {
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) yield Buffer.alloc(64 * 1024);
    }
    await expect(extractTree(endless(), { to, maxBytes: 1_000, maxEntries: 10 })).rejects.toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
    });
  });
});

test("a broken tar, 200 seeds: a SmoothError or a report, never anything else, never outside", async () => {
  const good = Buffer.concat([
    member("dir/one", { body: "hello" }),
    link("dir/l", "one"),
    member("n".repeat(150), { body: "x".repeat(2_000) }),
  ]);
  const wrong: string[] = [];
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = seededRandom(seed);
    const bytes = Buffer.from(good);
    for (let flips = 0; flips < 1 + random() * 6; flips += 1)
      bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    const result = await extractTree(stream(bytes.subarray(0, Math.floor(random() * 1.3 * bytes.length))), {
      to,
    }).catch((error: unknown) => error);
    if (result instanceof Error && result.name !== "SmoothError") wrong.push(`seed ${seed}: ${result.message}`);
  }
  expect(wrong).toEqual([]);
  await onlyRootIsThere();
});

test("what our writer writes, our reader reads: long names, links, many sizes", async () => {
  const from = join(outside, "root/from");
  await mkdir(join(from, "d".repeat(120), "e".repeat(120)), { recursive: true });
  for (const size of [0, 1, 511, 512, 513, 70_000])
    await writeFile(join(from, "d".repeat(120), "e".repeat(120), `f${size}`), "y".repeat(size));
  const tally = { files: 0, bytes: 0, skipped: [] };
  const report = await extractTree(tarOf({ from }, tally), { to: join(to, "copy") });

  expect(report).toEqual({ files: 6, bytes: 71_537, refused: [] });
  expect((await readFile(join(to, "copy", "d".repeat(120), "e".repeat(120), "f70000"))).length).toBe(70_000);
});

test("deletions stay below the root and go through no link", async () => {
  await mkdir(join(to, "a"), { recursive: true });
  await writeFile(join(to, "a/gone"), "");
  await writeFile(join(outside, "kept"), "");
  await symlink("..", join(to, "l"));
  const refused = await removePaths(to, ["a/gone", "../kept", "/etc/hostname", "l/kept", ""]);

  expect(await readdir(join(to, "a"))).toEqual([]);
  expect((await readdir(outside)).toSorted()).toEqual(["kept", "root"]);
  expect(refused.map(({ path }) => path)).toEqual(["../kept", "/etc/hostname", "l/kept"]);
});

test("links may climb only at their start, and not above the root", () => {
  expect(["a", "./a", "b/c", "."].every((target) => linkStaysInside("l", target))).toBe(true);
  expect(linkStaysInside("x/y/l", "../../a")).toBe(true);
  expect(linkStaysInside("x/y/l", "../../../a")).toBe(false);
  expect(linkStaysInside("x/l", "d/../../a")).toBe(false);
});

test("a pattern without a slash names things at any depth, with one a path", () => {
  const left = matcher(["node_modules", "packages/web/dist"]);

  expect(["node_modules/x", "a/node_modules", "packages/web/dist/x"].map(left)).toEqual([true, true, true]);
  expect(["my_node_modules", "dist", "packages/web/distant"].map(left)).toEqual([false, false, false]);
});

test("a path that its asker refuses is not written, and the report says why", async () => {
  const refuse = (path: string): string | null => (path.endsWith("hook") ? "runs here later" : null);
  const report = await extractTree(stream(member("a/hook", { body: "x" }), member("a/b", { body: "y" })), {
    to,
    refuse,
  });

  expect(report).toMatchObject({ files: 1, refused: [{ path: "a/hook", reason: "runs here later" }] });
  expect(await readdir(join(to, "a"))).toEqual(["b"]);
});
