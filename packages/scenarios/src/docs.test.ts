import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ProvidersFile, SLOTS } from "@smooth/protocol/providers";
import { describe, expect, test } from "vitest";
import { ROOT } from "./workspaces.ts";

/** The pages in docs/ speak of the house as it is. */

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

describe("docs/security.md", () => {
  const page = read("docs/security.md");
  const cited = [...page.matchAll(/^- `([^`]+)`: (.+)$/gm)].map(([, file = "", title = ""]) => ({ file, title }));

  test("every promise names tests, and what is not shown", () => {
    const promises = page.split(/^## /m).slice(1);

    expect(promises.map((promise) => promise.slice(0, 2))).toEqual(Array.from({ length: 9 }, (_, n) => `P${n + 1}`));
    for (const promise of promises) expect(promise).toMatch(/^- `[^]*Not shown: /m);
  });

  test.each(cited)("$file has: $title", ({ file, title }) => {
    expect(read(file)).toContain(`"${title}"`);
  });
});

test("docs/cli.md names every command", () => {
  const page = read("docs/cli.md");
  const sources = readdirSync(join(ROOT, "packages/cli/src/th"))
    .filter((name) => !name.includes(".test."))
    .map((name) => read(join("packages/cli/src/th", name)));
  const th = sources.flatMap((text) =>
    [...text.matchAll(/(?:\.command\(|rpcCommand\(\w+, )\s*["`]([a-z]+)/g)].map(([, verb = ""]) => verb),
  );
  const smithers = [...read("docs/smithers.md").matchAll(/^### smithers ([a-z -]+[a-z])/gm)].map(
    ([, verb = ""]) => verb,
  );
  const verbs = [...th, ...smithers];

  expect(verbs.length).toBeGreaterThan(60);
  expect(verbs.filter((verb) => !new RegExp(`\\b${verb}\\b`).test(page))).toEqual([]);
});

test("docs/providers.md: the example is a providers file, and every slot is there", () => {
  const page = read("docs/providers.md");
  const example = /```json\n(.*?)```/s.exec(page)?.[1] ?? "";

  expect(ProvidersFile.parse(JSON.parse(example)).providers).toHaveLength(2);
  expect(SLOTS.filter((slot) => !page.includes(`\`${slot}\``))).toEqual([]);
});

describe("docs/workflows.md", () => {
  const page = read("docs/workflows.md");
  const examples = readdirSync(join(ROOT, "examples")).filter((name) => name.endsWith(".tsx"));
  const flat = (code: string): string => code.replaceAll(/\s+/g, " ").trim();

  test("every code block stands in an example, or in the program that plays them", () => {
    const sources = [...examples.map((name) => `examples/${name}`), "packages/scenarios/src/examples/play.ts"];
    const run = sources.map((path) => flat(read(path)));
    const blocks = [...page.matchAll(/^```tsx?\n(.*?)^```$/gms)].map(([, code = ""]) => flat(code));

    expect(blocks.length).toBeGreaterThan(3);
    expect(blocks.filter((block) => !run.some((text) => text.includes(block)))).toEqual([]);
  });

  test("every example is on it", () => {
    expect(examples.filter((name) => !page.includes(`(../examples/${name})`))).toEqual([]);
  });

  test("every element and composite that authors import is on it", () => {
    const doors = read("packages/smithers-orchestrator/src/index.ts");
    const names = [...doors.matchAll(/\btype (\w+)Props\b/g)].map(([, name = ""]) => name);

    expect(names.length).toBeGreaterThan(30);
    expect(names.filter((name) => !new RegExp(`[<\`]${name.replace("SagaStep", "Saga.Step")}\\b`).test(page))).toEqual(
      [],
    );
  });
});

test("links between pages lead somewhere", () => {
  const pages = ["README.md", "AGENTS.md", ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`)];
  const broken = pages
    .filter((page) => page.endsWith(".md"))
    .flatMap((page) =>
      [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
        .map(([, target = ""]) => join(page, "..", target))
        .filter((target) => !existsAt(target))
        .map((target) => `${page} -> ${target}`),
    );
  expect(broken).toEqual([]);
});

const existsAt = (path: string): boolean => existsSync(join(ROOT, path));
