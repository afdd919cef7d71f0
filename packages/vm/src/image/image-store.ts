import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { z } from "zod";
import type { PrepareProgress } from "../driver.ts";
import { findProgram } from "./commands.ts";
import { GUEST_INIT, INITRAMFS_INIT, KERNEL_MODULES } from "./guest-init.ts";
import { bundleGuest, packInitrd } from "./initrd.ts";
import { fetchKernel, resolveKernelPackage } from "./kernel.ts";
import { withLock } from "@smooth/platform/node/lock";
import { buildRootfs, GUEST_PACKAGES, GUEST_SUITE } from "./rootfs.ts";

/** The guest image on disk: kernel, initrd and root file system, each named by the hash of what it was made from.
 *  I1. A part is complete or absent. I2. One process builds at a time; the others wait and then find it done.
 *  I3. What is there is not built again; a changed recipe is another name. */

const Manifest = z.object({ kernel: z.string(), initrd: z.string(), rootfs: z.string() });
/** File names below `ImageStore.partsDir`. */
export type Image = z.infer<typeof Manifest>;

export interface ImageStoreOptions {
  readonly cacheDir: string;
  /** A Linux Node binary for the guest. */
  readonly nodeBinary: string;
  readonly clock: Clock;
}

type OnProgress = (progress: PrepareProgress) => void;

export class ImageStore {
  readonly partsDir: string;
  readonly #options: ImageStoreOptions;

  constructor(options: ImageStoreOptions) {
    this.#options = options;
    this.partsDir = join(options.cacheDir, "parts");
  }

  async prepare(onProgress: OnProgress): Promise<Image> {
    const recipe = await this.#recipe();
    const ready = await this.#manifest(recipe.hash);
    if (ready) return ready;
    await mkdir(this.partsDir, { recursive: true });
    onProgress({ phase: "waiting", percent: 1, message: "waiting for the image lock" });
    return withLock(join(this.#options.cacheDir, "image.lock"), this.#options.clock, async () => {
      return (await this.#manifest(recipe.hash)) ?? (await this.#build(recipe, onProgress)); // I2
    });
  }

  /** What keeps an image from being built here, with the way out of each. Empty when it is built or can be. */
  async obstacles(): Promise<readonly string[]> {
    const built = await readdir(this.#options.cacheDir).catch(() => []);
    if (built.some((name) => name.startsWith("image-"))) return [];
    const missing: string[] = [];
    for (const [program, from] of Object.entries(BUILD_TOOLS))
      if ((await findProgram(program)) === null) missing.push(from);
    return [
      ...(missing.length > 0 ? [`apt-get install -y ${[...new Set(missing)].join(" ")}`] : []),
      ...(process.getuid?.() === 0
        ? []
        : [`sudo env SMOOTH_IMAGES=${this.#options.cacheDir} npm run th -- sandbox prepare`]),
    ];
  }

  async #recipe(): Promise<{ hash: string; rootfs: string; guest: Uint8Array }> {
    const guest = await bundleGuest(join(import.meta.dirname, "../guest/main.ts"));
    const node = await fingerprint(this.#options.nodeBinary);
    const rootfs = digest([RECIPE_VERSION, process.arch, GUEST_SUITE, GUEST_PACKAGES.join(), node]);
    return { guest, rootfs, hash: digest([rootfs, INITRAMFS_INIT, GUEST_INIT, KERNEL_MODULES.join(), guest]) };
  }

  async #manifest(hash: string): Promise<Image | null> {
    const text = await readFile(join(this.#options.cacheDir, `image-${hash}.json`), "utf8").catch(() => null);
    if (text === null) return null;
    const image = Manifest.parse(JSON.parse(text));
    const present = await Promise.all(
      Object.values(image).map((name) =>
        stat(join(this.partsDir, name)).then(
          () => true,
          () => false,
        ),
      ),
    );
    return present.every(Boolean) ? image : null;
  }

  async #build(recipe: { hash: string; rootfs: string; guest: Uint8Array }, onProgress: OnProgress): Promise<Image> {
    const obstacles = await this.obstacles();
    if (obstacles.length > 0)
      throw new SmoothError("SANDBOX_UNAVAILABLE", `the guest image cannot be built: ${obstacles.join("; ")}`);
    const { cacheDir } = this.#options;
    onProgress({ phase: "kernel", percent: 3, message: "resolving the kernel package" });
    const packageName = await resolveKernelPackage();
    const unpacked = join(cacheDir, packageName);
    if (!(await exists(unpacked))) {
      onProgress({ phase: "kernel", percent: 5, message: `downloading ${packageName}` });
      await fetchKernel(packageName, unpacked);
    }
    const vmlinuz = await readFile(join(unpacked, "boot", packageName.replace("linux-image", "vmlinuz")));
    const kernel = await this.#keep("vmlinuz", vmlinuz);
    const rootfs = `rootfs-${recipe.rootfs}.ext4`;
    if (!(await exists(join(this.partsDir, rootfs)))) {
      const step = (percent: number, message: string): void => onProgress({ phase: "rootfs", percent, message });
      await buildRootfs({ file: join(this.partsDir, rootfs), nodeBinary: this.#options.nodeBinary, step });
    }
    onProgress({ phase: "agent", percent: 85, message: "packing the guest agent" });
    const busybox = await findProgram("busybox");
    const initrd = await this.#keep(
      "initrd",
      await packInitrd(join(unpacked, "lib/modules"), busybox ?? "", recipe.guest),
    );
    const image: Image = { kernel, initrd, rootfs };
    await replaceFile(join(cacheDir, `image-${recipe.hash}.json`), Buffer.from(JSON.stringify(image)));
    return image;
  }

  async #keep(kind: string, content: Buffer): Promise<string> {
    const name = `${kind}-${digest([content])}`;
    if (!(await exists(join(this.partsDir, name)))) await replaceFile(join(this.partsDir, name), content);
    return name;
  }
}

const RECIPE_VERSION = "1";

/** Program → Debian package. */
const BUILD_TOOLS = {
  "apt-get": "apt",
  "dpkg-deb": "dpkg",
  mmdebstrap: "mmdebstrap",
  mke2fs: "e2fsprogs",
  busybox: "busybox-static",
};

export function digest(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex").slice(0, 20);
}

/** I1. */
export async function replaceFile(path: string, content: Uint8Array): Promise<void> {
  await writeFile(`${path}.draft`, content);
  await rename(`${path}.draft`, path);
  await rm(`${path}.draft`, { force: true });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** A Node binary carries its build id and version near the start of the file; reading all of it would take longer than booting. */
async function fingerprint(path: string): Promise<string> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const head = Buffer.alloc(1024 * 1024);
    await file.read(head, 0, head.length, 0);
    return digest([String(size), head]);
  } finally {
    await file.close();
  }
}
