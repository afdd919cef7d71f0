import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT, workspaces } from "./workspaces.ts";

/** What a README claims is what happens.
 *  E1. A block marked `ts run` or `tsx run` runs as it stands; each `console.log(…); // claim` says exactly its claim.
 *  E2. A block marked `sh run` runs from the root of the repository; `#=> claim` lines are what it prints. */

/** READMEs without a marked block, and the test that does what their example shows. */
const SHOWN_BY: Readonly<Record<string, string>> = {
  db: "prisma/src/migrate.test.ts",
  rendezvous: "apps/rendezvous/src/tunnel.machine.test.ts",
  tunnel: "packages/tunnel/src/dialer.test.ts",
  vm: "packages/vm/src/driver.contract.ts",
  web: "packages/scenarios/src/stories/pearl.story.ts",
};

describe.each(workspaces())("$name", ({ name, dir, sources }) => {
  const path = join(ROOT, dir, "README.md");
  const readme = existsSync(path) ? readFileSync(path, "utf8") : "";
  const blocks = [...readme.matchAll(/^```(tsx?|sh) run\n(.*?)^```$/gms)].map(([, language = "", code = ""]) => ({
    language,
    code,
  }));

  test("fits on a page", () => {
    expect(readme.trim(), `${dir} has no README.md`).not.toBe("");
    expect(readme.trimEnd().split("\n").length).toBeLessThanOrEqual(60);
  });

  test("its example is run by some test", () => {
    const ownTest = sources.some((file) => /\.test\.tsx?$/.test(file) && reads(file, "README.md"));
    const elsewhere = SHOWN_BY[name];
    expect(blocks.length > 0 || ownTest || (elsewhere !== undefined && existsSync(join(ROOT, elsewhere)))).toBe(true);
  });

  test.each(blocks)("its $language example says what it claims", async ({ language, code }) => {
    const { printed, claim } =
      language === "sh"
        ? { printed: shellOutput(code), claim: /^#=> (.*)$/gm } // E2
        : { printed: await said({ dir, language, code }), claim: /^console\.log.*\/\/ (.*)$/gm }; // E1
    expect(printed).toEqual([...code.matchAll(claim)].map(([, text = ""]) => text.trim()));
  });
});

const reads = (file: string, text: string): boolean => readFileSync(join(ROOT, file), "utf8").includes(text);

const CATCH = `
import { inspect as show } from "node:util";
export const said: string[] = [];
const console = { log: (value: unknown) => said.push(typeof value === "string" ? value : show(value)) };
`;

interface Example {
  readonly dir: string;
  readonly language: string;
  readonly code: string;
}

/** Inside the package, so that its doors and dependencies resolve as they do for a reader. */
async function said({ dir, language, code }: Example): Promise<string[]> {
  const folder = mkdtempSync(join(ROOT, dir, ".readme-"));
  try {
    const file = join(folder, `example.${language}`);
    writeFileSync(file, CATCH + code);
    return ((await import(file)) as { said: string[] }).said;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function shellOutput(code: string): string[] {
  const output = execFileSync("sh", ["-ec", code], {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return output.trimEnd().split("\n");
}
