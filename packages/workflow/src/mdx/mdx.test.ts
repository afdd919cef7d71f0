import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { zodSchemaToJsonExample } from "./json-example.ts";

/** Node itself loads the prompts here, as the daemon and the CLI do. */
const folder = mkdtempSync(join(tmpdir(), "mdx-"));
afterAll(() => rmSync(folder, { recursive: true }));

function node(script: string): string {
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: import.meta.dirname,
    encoding: "utf8",
  });
  if (!stdout) throw new Error(stderr);
  return stdout;
}

let count = 0;
/** What each prompt renders to with its props; a refusal is its message. */
function rendered(prompts: readonly { readonly text: string; readonly props?: object }[]): string[] {
  const files = prompts.map(({ text, props = {} }) => {
    const file = join(folder, `prompt-${(count += 1)}.mdx`);
    writeFileSync(file, text);
    return { file, props };
  });
  const script = `
    import { hookOnce } from "@smooth/workflow/load-workflow";
    import { renderMdx } from "@smooth/workflow/render-mdx";
    hookOnce();
    const said = [];
    for (const { file, props } of ${JSON.stringify(files)})
      said.push(await import(file).then((module) => renderMdx(module.default, props)).catch((error) => "refused: " + error.message));
    console.log(JSON.stringify(said));`;
  return JSON.parse(node(script)) as string[];
}

const REVIEW = `{/* Review.mdx */}
import { tone } from "./tone.ts";
export const limit = 3;

# Review *this* code:

**Files**: {props.files.join(", ")}
  - indented   with  spaces
**Tests**: {props.testsPassed}/{props.testsRun} passing

\`\`\`ts
const object = { kept: "as it is" }; // not {evaluated}
\`\`\`

| a | b |
|---|---|
| {tone} | {limit} |

Braces \\{like this\\}, a &lt; b, "quotes" & 'quotes', email@example.com.
{props.nothing}{null}{false}
Return JSON matching schema:
{props.schema}
`;

describe("a prompt", () => {
  test("M1, M2: is its own text, byte for byte, with its expressions evaluated", () => {
    writeFileSync(join(folder, "tone.ts"), `export const tone: string = "calm";`);
    const props = { files: ["a.ts", "b.ts"], testsPassed: 3, testsRun: 4, schema: "{}" };

    const [first, second] = rendered([
      { text: REVIEW, props },
      { text: REVIEW, props },
    ]);

    expect(first).toBe(`# Review *this* code:

**Files**: a.ts, b.ts
  - indented   with  spaces
**Tests**: 3/4 passing

\`\`\`ts
const object = { kept: "as it is" }; // not {evaluated}
\`\`\`

| a | b |
|---|---|
| calm | 3 |

Braces {like this}, a &lt; b, "quotes" & 'quotes', email@example.com.

Return JSON matching schema:
{}`);
    expect(second).toBe(first);
  });

  test("uses components: of its own, of its imports, of its caller; a missing one is named", () => {
    writeFileSync(join(folder, "rule.tsx"), `export const Rule = ({ n, children }) => <>Rule {n}: {children}</>;`);
    const text = `import { Rule } from "./rule.tsx";
export const Loud = ({ children }) => <>{children}!</>;

<Rule n={1}>Be **kind**</Rule>

<Loud>
  Say why, {props.name}
</Loud>
`;

    const [own, missing] = rendered([{ text, props: { name: "Ann" } }, { text: "Hi <Callout/>" }]);

    expect(own).toBe("Rule 1: Be **kind**\n\nSay why, Ann!");
    expect(missing).toMatch(/^refused: .*prompt-\d+\.mdx uses <Callout>; import it, or pass it in `components`/);
  });

  test("M3: tags are text, their attributes are evaluated", () => {
    const text = `<context source="repo" branch={props.branch}>\n{props.body}\n</context>\n\nDone <br/> and <b>bold</b>.`;

    expect(rendered([{ text, props: { branch: "main", body: "files" } }])).toEqual([
      '<context source="repo" branch="main">\nfiles\n</context>\n\nDone <br/> and <b>bold</b>.',
    ]);
  });

  test("that is not MDX is refused with file and place", () => {
    const [open, twice] = rendered([{ text: "ok\n\nbroken {props." }, { text: "export default () => null;\n\ntext" }]);

    expect(open).toMatch(/^refused: .*prompt-\d+\.mdx:3:\d+: Unexpected end/);
    expect(twice).toMatch(/prompt-\d+\.mdx: a prompt exports its text by default/);
  });
});

test("a workflow imports prompts; the schema of the output comes with them; a function child may build one", () => {
  writeFileSync(join(folder, "ask.mdx"), `Ask about **{props.topic}**.\n\n{props.schema}\n`);
  writeFileSync(
    join(folder, "flow.tsx"),
    `import { createSmithers } from "smithers-orchestrator";
import { z } from "zod";
import Ask from "./ask.mdx";
const { Workflow, Task, smithers, outputs } = createSmithers({ output: z.object({ n: z.number().describe("how many") }) });
const asked = [];
const agent = { generate: async ({ prompt }) => (asked.push(prompt), globalThis.asked = asked, { text: '{"n":1}' }) };
export default smithers(() => (
  <Workflow name="mdx">
    <Task id="a" output={outputs.output} agent={agent}><Ask topic="sum" /></Task>
    <Task id="b" output="output" agent={agent}>{() => <Ask topic="rest" />}</Task>
    <Task id="c" output={outputs.output} agent={agent}><h2>Plan</h2><ul><li>one</li><li>two <em>times</em></li></ul></Task>
  </Workflow>
));`,
  );

  const said = node(`
    import { loadWorkflow } from "@smooth/workflow/load-workflow";
    import { runWorkflow } from "@smooth/workflow/run-workflow";
    const flow = await loadWorkflow(${JSON.stringify(join(folder, "flow.tsx"))});
    const { status, error } = await runWorkflow(flow, { input: {}, rootDir: ${JSON.stringify(folder)}, maxConcurrency: 1 });
    console.log(JSON.stringify({ status, error, asked: globalThis.asked, files: Object.keys(flow.source.files) }));`);

  const { status, asked, files } = JSON.parse(said) as { status: string; asked: string[]; files: string[] };
  expect(status).toBe("finished");
  expect(asked[0]).toMatch(/^Ask about \*\*sum\*\*\.\n\n\{\n {2}"\$schema"[^]*"how many"/);
  expect(asked[1]).toMatch(/^Ask about \*\*rest\*\*\.\n\n\{\n {2}"\$schema"/);
  expect(asked[2]).toMatch(/^## Plan\n\n- one\n- two _times_\n\n\n\nAnswer with JSON/);
  expect(files).toEqual(["ask.mdx", "flow.tsx"]);
});

test("an example of a schema has its shape", () => {
  const schema = z.object({
    title: z.string(),
    mood: z.enum(["good", "bad"]),
    issues: z.array(z.object({ line: z.number(), fix: z.string().describe("what to do").nullable() })),
    done: z.boolean().optional(),
    tries: z.number().default(3),
  });

  const example: unknown = JSON.parse(zodSchemaToJsonExample(schema));

  expect(example).toEqual({
    title: "string",
    mood: "good",
    issues: [{ line: 0, fix: "what to do" }],
    done: false,
    tries: 3,
  });
  expect(schema.safeParse(example).success).toBe(true);
});
