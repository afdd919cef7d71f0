import { cp, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { runTool } from "./commands.ts";

/** The read-only root of every guest: Debian's smallest variant, what agents use daily, and Node. */
export const GUEST_PACKAGES = [
  "ca-certificates",
  "git",
  "curl",
  "ripgrep",
  "python3-minimal",
  "procps",
  "less",
  "file",
  "bash",
];
export const GUEST_SUITE = "bookworm";

export interface RootfsInput {
  readonly file: string;
  readonly nodeBinary: string;
  readonly step: (percent: number, message: string) => void;
}

/** Complete or absent: built beside its place and renamed. */
export async function buildRootfs({ file, nodeBinary, step }: RootfsInput): Promise<void> {
  const tree = `${file}.tree`;
  const draft = `${file}.draft`;
  await Promise.all([tree, draft].map((path) => rm(path, { recursive: true, force: true })));
  step(15, "installing Debian packages for the guest");
  const include = `--include=${GUEST_PACKAGES.join(",")}`;
  await runTool("mmdebstrap", ["--variant=minbase", include, ...SLIM, GUEST_SUITE, tree]);
  step(75, "adding Node");
  await cp(nodeBinary, join(tree, "usr/local/bin/node"));
  await mkdir(join(tree, "workspace"), { recursive: true });
  step(80, "making the file system");
  const sizeMb = await sizeForTree(tree);
  await runTool("mke2fs", ["-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", tree, draft, `${sizeMb}M`]);
  await rename(draft, file);
  await rm(tree, { recursive: true, force: true });
}

const SLIM = ["usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info"].map(
  (path) => `--dpkgopt=path-exclude=/${path}/*`,
);

async function sizeForTree(tree: string): Promise<number> {
  const kib = Number((await runTool("du", ["-sk", tree])).split("\t")[0]);
  return Math.ceil((kib / 1024) * 1.15 + 48);
}
