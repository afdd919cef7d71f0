import type { Command } from "commander";
import type { PrepareSandbox } from "../daemon.ts";
import { progress, say } from "../output.ts";

/** The VM image of this machine. Done here and not asked of a host: building it may need another user. */
export function sandboxCommands(program: Command, prepareSandbox: PrepareSandbox): void {
  program
    .command("sandbox")
    .description("The virtual machines of this machine.")
    .command("prepare")
    .description("Build the guest image now; with sudo it belongs to you afterwards.")
    .action(async () => {
      let last = "";
      const { images } = await prepareSandbox((message, percent) => {
        if (message !== last && !process.stderr.isTTY) say(message);
        last = message;
        progress(`${message}, ${Math.floor(percent)} %`);
      });
      progress("");
      say(`the guest image is ready in ${images}`);
    });
}
