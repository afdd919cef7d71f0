/** Takes every guard out of a throw-away copy of the sources and demands that its test fails:
 *  npm run check:mutations [-- --only <part of an id>]
 *  M1. Each test passes with its guard, so that a failure without it is the guard's doing.
 *  M2. A guard whose test still passes is survived: the test is missing, or the guard is. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { without, type Guard } from "./guard.ts";
import { GUARDED } from "./guarded.ts";
import { copyOf } from "./tree.ts";
import { fates } from "./vitest.ts";

type Verdict = "caught" | "SURVIVED" | "BROKEN";

async function judge(folder: string, file: string, guard: Guard): Promise<Verdict> {
  const path = join(folder, file);
  const source = readFileSync(path, "utf8");
  const mutated = without(guard, source);
  if (mutated === undefined) return "BROKEN";
  writeFileSync(path, mutated);
  try {
    const fate = (await fates(folder, [guard.test]))(guard.test);
    return fate === "failed" ? "caught" : fate === "passed" ? "SURVIVED" : "BROKEN"; // M2
  } finally {
    writeFileSync(path, source);
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { only: { type: "string", default: "" } } });
  const chosen = GUARDED.flatMap(({ file, guards }) => guards.map((guard) => ({ file, guard }))).filter(({ guard }) =>
    guard.id.includes(values.only),
  );
  await using copy = copyOf(join(import.meta.dirname, "../.."));
  const count: Record<Verdict, number> = { caught: 0, SURVIVED: 0, BROKEN: 0 };
  const whole = await fates(
    copy.folder,
    chosen.map(({ guard }) => guard.test),
  );
  for (const { file, guard } of chosen) {
    const sound = whole(guard.test) === "passed"; // M1
    const verdict = sound ? await judge(copy.folder, file, guard) : "BROKEN";
    count[verdict] += 1;
    const said = verdict === "caught" ? "" : sound ? ` (${guard.test[1]})` : ` (with it: ${whole(guard.test)})`;
    console.log(`${verdict.padEnd(9)} ${guard.id}${said}`);
  }
  console.log(`mutations: ${count.caught} caught, ${count.SURVIVED} survived, ${count.BROKEN} broken`);
  return chosen.length > 0 && count.SURVIVED + count.BROKEN === 0 ? 0 : 1;
}

process.exit(await main());
