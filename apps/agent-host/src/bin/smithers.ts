/** `smithers`: a client of the host that `th up` runs. */
import { runSmithers } from "@smooth/cli/smithers";
import about from "../../package.json" with { type: "json" };

process.exitCode = await runSmithers({
  argv: process.argv.slice(2),
  version: about.version,
  graphOf: async (file, input) => (await import("../graph.ts")).graphOf(file, input),
});
