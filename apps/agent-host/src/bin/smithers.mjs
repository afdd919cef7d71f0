#!/usr/bin/env node
// The door of `smithers`. Plain JavaScript: `--version` answers before the type stripper is even loaded;
// everything else starts from a compile cache in the user's own folder, in half the time.
import { readFileSync } from "node:fs";

if (process.argv[2] === "--version") {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  process.stdout.write(`${version}\n`);
} else {
  if (Number(process.versions.node.split(".")[0]) < 24) {
    process.stderr.write(
      `smithers needs Node 24 or newer; this is ${process.versions.node}\nstart it through npm, which brings one along: npm run smithers -- …\n`,
    );
    process.exit(4);
  }
  const [{ enableCompileCache }, { homedir }] = await Promise.all([import("node:module"), import("node:os")]);
  enableCompileCache(`${process.env.SMOOTH_HOME ?? `${homedir()}/.smooth`}/cache/node`);
  await import("./smithers.ts");
}
