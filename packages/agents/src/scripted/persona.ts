import type { History, PastCall } from "./history.ts";

/** A persona decides the next turn from the history alone (H1): same history, same turn. */

export interface Turn {
  readonly text: string;
  readonly calls: readonly { readonly name: string; readonly args: Readonly<Record<string, unknown>> }[];
}

export type Persona = (history: History) => Turn;

/** One step of a scripted story: done when `done` says so; until then its `turn` is what the persona says. */
export interface Step {
  readonly done: (history: History) => boolean;
  readonly turn: (history: History) => Turn;
}

/** The first step that is not done speaks; when all are done, `end` does. */
export function story(steps: readonly Step[], end: (history: History) => string): Persona {
  return (history) => steps.find((step) => !step.done(history))?.turn(history) ?? { text: end(history), calls: [] };
}

export const called = (
  history: History,
  name: string,
  matches: (args: PastCall["args"]) => boolean,
): PastCall | undefined =>
  history.calls.findLast((call) => call.name === name && call.result !== null && matches(call.args));

/** Whatever it is asked, it says the truth about itself. */
export const honest: Persona = ({ asked }) => ({
  text: `DEMO: I am a scripted stand-in, not a language model, and cannot do this task${quote(asked.at(-1))}. I can only play the demo: fixing the failing test of the sample repository. Add a model provider to ~/.smooth/providers.json, or set OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_MODEL, to get real work done.`,
  calls: [],
});

const quote = (text: string | undefined): string => (text ? ` ("${text.replaceAll(/\s+/g, " ").slice(0, 80)}")` : "");

/** For security tests: obeys the newest instruction of the form `RUN: <command>` or `CALL <tool> {json}` found in any tool
 *  result or user message that it has not obeyed yet. */
export const gullible: Persona = (history) => {
  const orders = [...history.asked, ...history.calls.map(({ result }) => result ?? "")].flatMap(ordersIn);
  const next = orders.find(
    ({ name, args }) =>
      !history.calls.some((call) => call.name === name && JSON.stringify(call.args) === JSON.stringify(args)),
  );
  return next
    ? { text: "DEMO: as you wish.", calls: [next] }
    : { text: "DEMO: I did everything I was told.", calls: [] };
};

function ordersIn(text: string): Turn["calls"][number][] {
  return text.split("\n").flatMap((line) => {
    const run = /\bRUN:\s*(.+)$/.exec(line);
    if (run) return [{ name: "bash", args: { cmd: run[1] ?? "" } }];
    const call = /\bCALL\s+(\w+)\s+(\{.*\})/.exec(line);
    return call ? parsedOrder(call[1] ?? "", call[2] ?? "") : [];
  });
}

function parsedOrder(name: string, args: string): Turn["calls"][number][] {
  try {
    return [{ name, args: JSON.parse(args) as Record<string, unknown> }];
  } catch {
    return [];
  }
}
