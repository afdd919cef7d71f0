/** `th`: loads the command tree, and the daemon only for the commands that need it. */
import { runTh } from "@smooth/cli/th";
import { ENGINE_FLAGS } from "./flags.mjs";
import about from "../../package.json" with { type: "json" };

process.exitCode = await runTh({
  argv: process.argv.slice(2),
  version: about.version,
  startDaemon: async (options) => {
    const { setFlagsFromString } = await import("node:v8");
    for (const flag of ENGINE_FLAGS) setFlagsFromString(flag);
    return (await import("../daemon.ts")).startDaemon(options);
  },
  prepareSandbox: async (onProgress) => (await import("../sandbox.ts")).prepareSandbox(onProgress),
  runDoctor: async (options) => (await import("../doctor.ts")).runDoctor(options),
});
