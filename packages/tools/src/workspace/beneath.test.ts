import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import { openNodeWorkspace } from "./node-workspace.node.ts";

const scratch: string[] = [];
afterEach(() => scratch.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

function twoFolders(): { readonly root: string; readonly outside: string } {
  const base = mkdtempSync(join(tmpdir(), "beneath-"));
  scratch.push(base);
  const [root, outside] = [join(base, "root"), join(base, "outside")];
  mkdirSync(join(root, "d"), { recursive: true });
  mkdirSync(outside);
  writeFileSync(join(root, "d/f.txt"), "inside");
  writeFileSync(join(outside, "f.txt"), "outside");
  return { root, outside };
}

const open = (root: string) => openNodeWorkspace(root, { env: {}, marker: `beneath-${process.pid}` });

/** Puts a link to the outside in the place of a folder or a file, and back, as fast as it can. */
const SWAP = `
  const { renameSync, rmSync } = require("node:fs");
  const { workerData: { root, name }, parentPort } = require("node:worker_threads");
  let stop = false;
  parentPort.on("message", () => (stop = true));
  const tried = (act) => {
    try { return act(), true } catch { return false }
  };
  const move = (from, to) => {
    // a write may make something there meanwhile
    while (!tried(() => renameSync(root + from, root + to))) tried(() => rmSync(root + to, { recursive: true, force: true }));
  };
  const turn = () => {
    for (let at = 0; at < 20; at += 1) {
      move("/" + name, "/" + name + ".own");
      move("/" + name + ".link", "/" + name);
      move("/" + name, "/" + name + ".link");
      move("/" + name + ".own", "/" + name);
    }
    if (stop) parentPort.postMessage("stopped");
    else setImmediate(turn);
  };
  turn();
  parentPort.postMessage("began");`;

/** Answers, once it is at work, with the function that stops it. */
async function swapping(root: string, name: string): Promise<() => Promise<void>> {
  const swapper = new Worker(SWAP, { eval: true, workerData: { root, name } });
  await once(swapper, "message");
  return async () => {
    const stopped = new Promise((resolve) => swapper.once("message", resolve));
    swapper.postMessage("stop");
    await stopped;
    await swapper.terminate();
  };
}

test("B2: while a file is swapped with a link that leads out, nothing outside is read or written", async () => {
  const { root, outside } = twoFolders();
  writeFileSync(join(root, "g.txt"), "inside");
  symlinkSync(join(outside, "f.txt"), join(root, "g.txt.link"));
  const stop = await swapping(root, "g.txt");
  const workspace = open(root);
  const seen = new Set<string>();

  for (let round = 0; round < 2_000; round += 1) {
    const read = await workspace.read("g.txt", 100);
    seen.add(read.kind === "ok" ? new TextDecoder().decode(read.value) : "refused");
    if (round % 10 === 0) await workspace.write("g.txt", new TextEncoder().encode("inside"));
  }
  await stop();

  expect(seen).not.toContain("outside");
  expect(readFileSync(join(outside, "f.txt"), "utf8")).toBe("outside");
});

test("B2: while a folder is swapped with a link that leads out, nothing outside is read or written", async () => {
  const { root, outside } = twoFolders();
  symlinkSync(outside, join(root, "d.link"));
  const stop = await swapping(root, "d");
  const workspace = open(root);
  const seen = new Map<string, number>();
  const count = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1);

  // At least so often, and until both happened: there was a race to win.
  for (let round = 0; round < 400 || seen.size < 2; round += 1) {
    const read = await workspace.read("d/f.txt", 100);
    count(read.kind === "ok" ? new TextDecoder().decode(read.value) : "refused");
    await workspace.write("d/f.txt", new TextEncoder().encode("inside"));
    await workspace.write(`d/new-${round}/x.txt`, new TextEncoder().encode("x"));
  }
  await stop();

  expect([...seen.keys()].toSorted()).toEqual(["inside", "refused"]);
  expect(readFileSync(join(outside, "f.txt"), "utf8")).toBe("outside");
  expect(await open(outside).list(".")).toEqual({ kind: "ok", value: ["f.txt"] });
});

test("B1: links are walked step by step: relative, absolute, upward and through each other, as long as they stay inside", async () => {
  const { root } = twoFolders();
  mkdirSync(join(root, "a/b"), { recursive: true });
  symlinkSync("../../d", join(root, "a/b/up"));
  symlinkSync(join(root, "a/b"), join(root, "absolute"));
  symlinkSync("absolute/up/f.txt", join(root, "chain"));
  symlinkSync("round", join(root, "round"));
  symlinkSync("a/b/../../../outside/f.txt", join(root, "out"));
  const workspace = open(root);

  for (const path of ["a/b/up/f.txt", "absolute/up/f.txt", "chain", `${root}/chain`])
    expect(await workspace.read(path, 100)).toMatchObject({ kind: "ok" });
  expect(await workspace.write("absolute/made/by/link.txt", new Uint8Array([104]))).toMatchObject({ kind: "ok" });
  expect(await workspace.read("a/b/made/by/link.txt", 100)).toMatchObject({ kind: "ok" });
  for (const path of ["round", "out", "round/x"])
    expect(await workspace.read(path, 100)).toMatchObject({ reason: "outside" });
});

test("no descriptor is left open, whatever the answer was", async () => {
  const { root } = twoFolders();
  symlinkSync(dirname(root), join(root, "out"));
  const workspace = open(root);
  const descriptors = async () => {
    const list = await openNodeWorkspace("/proc/self", { env: {}, marker: "x" }).list("fd");
    return list.kind === "ok" ? list.value.length : -1;
  };
  const before = await descriptors();

  for (let round = 0; round < 20; round += 1)
    for (const path of ["d/f.txt", "none/f", "out/x", "d", "d/f.txt/x"]) {
      await workspace.read(path, 1);
      await workspace.list(path);
    }

  expect(await descriptors()).toBe(before);
});
