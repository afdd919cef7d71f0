/** Copies read-only volumes in: folders with all they hold, files as they are. */
import { stat, readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { SandboxSpec } from "@smooth/engine/sandboxes";
import { SmoothError } from "@smooth/protocol/errors";
import type { Vm } from "@smooth/vm/driver";

/** Answers the bytes. */
export async function putVolumes(vm: Vm, volumes: SandboxSpec["volumes"], root: string): Promise<number> {
  let bytes = 0;
  for (const { host, container } of volumes) {
    const from = resolve(root, host);
    const info = await stat(from).catch((cause: unknown) => {
      throw new SmoothError("INVALID_INPUT", `volume ${from} is not there`, { cause });
    });
    if (info.isDirectory()) bytes += (await vm.putTree({ from, to: container })).bytes;
    else {
      const content = await readFile(from);
      await vm.writeFile(container, content);
      bytes += content.length;
    }
  }
  return bytes;
}
