/** `th` with a fake host in place of the daemon, for tests of `up`, `down` and `doctor`. */
import { runTh } from "../th/th.ts";
import { removeHostFile, writeHostFile } from "../host-file.ts";
import { serveFakeHost } from "./fake-host.ts";

process.exitCode = await runTh({
  argv: process.argv.slice(2),
  version: "0.0.0-test",
  startDaemon: async ({ home }) => {
    const host = await serveFakeHost();
    writeHostFile(home, { url: host.gateway.url, token: host.gateway.token, pid: process.pid });
    return {
      url: host.gateway.url,
      stopped: host.stopped,
      async [Symbol.asyncDispose]() {
        removeHostFile(home);
        await host[Symbol.asyncDispose]();
      },
    };
  },
  prepareSandbox: async (onProgress) => {
    for (const [message, percent] of [
      ["kernel", 5],
      ["packages", 20],
      ["packages", 70],
    ] as const)
      onProgress(message, percent);
    return { images: "/images" };
  },
  runDoctor: async () => ({
    checks: [
      { name: "git", ok: true, detail: "2.39", fix: null },
      {
        name: "qemu",
        ok: process.env["FAKE_QEMU"] !== undefined,
        detail: "qemu-system-x86_64",
        fix: "apt-get install qemu-system-x86",
      },
    ],
  }),
});
