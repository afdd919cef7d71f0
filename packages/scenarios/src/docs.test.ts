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
  const sources = ["packages/cli/src/th", "packages/cli/src/smithers"].flatMap((dir) =>
    readdirSync(join(ROOT, dir))
      .filter((name) => !name.includes(".test."))
      .map((name) => read(join(dir, name))),
  );
  const verbs = sources.flatMap((text) =>
    [...text.matchAll(/(?:\.command\(|rpcCommand\(\w+, )\s*["`]([a-z]+)/g)].map(([, verb = ""]) => verb),
  );

  expect(verbs.length).toBeGreaterThan(30);
  expect(verbs.filter((verb) => !new RegExp(`\\b${verb}\\b`).test(page))).toEqual([]);
});

test("docs/providers.md: the example is a providers file, and every slot is there", () => {
  const page = read("docs/providers.md");
  const example = /```json\n(.*?)```/s.exec(page)?.[1] ?? "";

  expect(ProvidersFile.parse(JSON.parse(example)).providers).toHaveLength(2);
  expect(SLOTS.filter((slot) => !page.includes(`\`${slot}\``))).toEqual([]);
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
