import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { transpile, type Source } from "./transpile.node.ts";

const SOURCE: Source = { text: "export const a: number = 1;", file: "/w/a.ts", loader: "ts" };

function bench() {
  const folder = mkdtempSync(join(tmpdir(), "smooth-transpile-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const compiled: string[] = [];
  const compile = ({ text, file }: Source): string => {
    compiled.push(`${file} ${text}`);
    return `// ${text}`;
  };
  return { folder, compiled, transpile: (source: Source) => transpile(source, { folder, compile }) };
}

test("T1: what was compiled once is not compiled again; another text, name or loader is", () => {
  const { compiled, transpile } = bench();

  const first = transpile(SOURCE);

  expect(transpile(SOURCE)).toBe(first);
  expect(compiled).toHaveLength(1);
  for (const other of [{ text: "2" }, { file: "/w/b.ts" }, { loader: "tsx" as const }])
    transpile({ ...SOURCE, ...other });
  expect(compiled).toHaveLength(4);
});

test("T2: a result that was cut off is made anew", () => {
  const { folder, compiled, transpile } = bench();
  const first = transpile(SOURCE);
  truncateSync(join(folder, readdirSync(folder)[0] ?? ""), 5);

  expect(transpile(SOURCE)).toBe(first);
  expect(compiled).toHaveLength(2);
  expect(readFileSync(join(folder, readdirSync(folder)[0] ?? ""), "utf8")).toBe(first);
});

test("T2: where nothing can be kept, everything still runs", () => {
  const { folder, compiled } = bench();
  const file = join(folder, "file");
  writeFileSync(file, "");

  expect(transpile(SOURCE, { folder: join(file, "cache"), compile: () => "made" })).toContain("made");
  expect(compiled).toEqual([]);
});
