import { sharedQemu } from "./shared-qemu.ts";

/** A host to be killed by a test: creates one VM in the run folder it is told, says so, and stays. */
const vm = await sharedQemu({ runDir: process.argv[2] ?? "" }).create({});
process.stdout.write(`${vm.id}\n`);
setInterval(() => {}, 60_000);
