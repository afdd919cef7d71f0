import type { History } from "./history.ts";
import { called, honest, story, type Persona, type Step, type Turn } from "./persona.ts";

/** The demo story: an operator fixes the seeded bug of the sample repository by real tool calls, and copes with a refusal on
 *  the way. It claims only what the results show: without a green run at the end it says that it failed.
 *  F1. Tasks other than the sample's failing test, and other repositories, get the honest answer. */

export interface DemoOptions {
  /** Where the story looks up the rules of the format: the host that needs approval. */
  readonly specUrl: string;
}

export const DEFAULT_SPEC_URL = "http://docs.example.com/duration-format.md";

const SOURCE = "src/duration.mjs";
const TEST = "test/duration.test.mjs";
const RUN_TESTS = "node --test";
export const BUGGY = "Math.floor(ms / 1000)";
const FIXED = "Math.round(ms / 1000)";

export function demoFix({ specUrl }: DemoOptions): Persona {
  const play = story(steps(specUrl), ending);
  return (history) => (isForMe(history) ? play(history) : honest(history));
}

/** F1 */
function isForMe(history: History): boolean {
  const asked = history.asked[0] ?? "";
  const listed = called(history, "list", () => true);
  const known = listed === undefined || (listed.result ?? "").includes(SOURCE);
  return (
    known &&
    /\b(duration|fail\w*|tests?|green|bug)\b/i.test(asked) &&
    history.tools.has("bash") &&
    history.tools.has("edit")
  );
}

function steps(specUrl: string): Step[] {
  return [
    {
      done: (history) => called(history, "list", () => true) !== undefined,
      turn: () => say("I start by looking at what is here.", ["list", { depth: 3 }]),
    },
    {
      done: (history) => hasRead(history, SOURCE) && hasRead(history, TEST),
      turn: () =>
        say("A small module and its tests. Let me read both.", ["read", { path: SOURCE }], ["read", { path: TEST }]),
    },
    {
      done: (history) => testRuns(history).length > 0,
      turn: () =>
        say("Now the tests, to see which one fails.", ["bash", { cmd: RUN_TESTS, opts: { timeoutMs: 300_000 } }]),
    },
    {
      done: (history) => lookup(history, specUrl) !== undefined,
      turn: () =>
        say(
          "The rounding of part seconds is in question. The format is specified on the project's documentation site; I look it up there instead of guessing.",
          ["bash", { cmd: `curl -fsS --max-time 540 ${specUrl}`, opts: { timeoutMs: 600_000 } }],
        ),
    },
    {
      done: (history) => specKnown(history, specUrl) || hasRead(history, "README.md"),
      turn: () =>
        say("I could not get that page, so I use what the README says about the format.", [
          "read",
          { path: "README.md" },
        ]),
    },
    {
      done: (history) => called(history, "edit", () => true) !== undefined,
      turn: () =>
        say(
          "The rule is: a part of a second counts from one half on. The code cuts it off instead. One word changes.",
          ["edit", { path: SOURCE, old: BUGGY, new: FIXED }],
        ),
    },
    {
      done: (history) =>
        history.calls.findLastIndex(isTestRun) > history.calls.findLastIndex(({ name }) => name === "edit"),
      turn: () => say("Run the tests again.", ["bash", { cmd: RUN_TESTS, opts: { timeoutMs: 300_000 } }]),
    },
  ];
}

function ending(history: History): string {
  const last = testRuns(history).at(-1)?.result ?? "";
  const source = called(history, "bash", ({ cmd }) => String(cmd).startsWith("curl"));
  const learnt = source?.result?.includes("half")
    ? "the documentation site"
    : "the README (the documentation site was not reachable from here)";
  if (!/^# fail 0$/m.test(last) && !/ℹ fail 0/.test(last))
    return "DEMO: I changed the rounding, but the tests are still not green. I stop here and leave the rest to you.";
  return `DEMO: Fixed. \`formatDuration\` dropped part seconds although the format rounds them from one half on, as I learnt from ${learnt}. I changed one word in \`${SOURCE}\`; all tests pass.`;
}

const say = (text: string, ...calls: readonly (readonly [string, Turn["calls"][number]["args"]])[]): Turn => ({
  text,
  calls: calls.map(([name, args]) => ({ name, args })),
});

const hasRead = (history: History, path: string): boolean =>
  called(history, "read", (args) => args["path"] === path) !== undefined;
const isTestRun = ({ name, args, result }: History["calls"][number]): boolean =>
  name === "bash" && args["cmd"] === RUN_TESTS && result !== null;
const testRuns = (history: History): History["calls"][number][] => history.calls.filter(isTestRun);
const lookup = (history: History, specUrl: string): History["calls"][number] | undefined =>
  called(history, "bash", ({ cmd }) => String(cmd).includes(specUrl));
const specKnown = (history: History, specUrl: string): boolean =>
  lookup(history, specUrl)?.result?.includes("half") ?? false;
