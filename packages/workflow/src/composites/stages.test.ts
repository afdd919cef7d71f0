/** Composites that hand rows from one stage to the next. */
import { expect, test } from "vitest";
import { h } from "../jsx-runtime.ts";
import { ContentPipeline } from "./content-pipeline.ts";
import { DriftDetector } from "./drift-detector.ts";
import { GatherAndSynthesize } from "./gather-and-synthesize.ts";
import { Kanban } from "./kanban.ts";
import { SuperSmithers } from "./super-smithers.ts";
import { agent, outputs, runToEnd } from "./testing.ts";
import { finishedIn, note } from "./testing.ts";

test("ContentPipeline gives each stage what the one before it recorded", async () => {
  const agents = ["outline", "draft", "polish"].map((name) => agent(() => ({ text: `${name} done` }), name));
  const stages = agents.map((one) => ({ id: one.id, agent: one, output: outputs.made }));

  const finished = await finishedIn(await runToEnd(() => h(ContentPipeline, { stages, children: "A post." })));

  expect(finished).toEqual(["outline#0", "draft#0", "polish#0"]);
  expect(agents[2]?.prompts[0]).toContain("draft done");
});

test("GatherAndSynthesize: the synthesis is asked with every source's row", async () => {
  const source = (text: string) => ({ agent: agent(() => ({ text })), prompt: "Look." });
  const synthesizer = agent(() => ({ text: "one" }));
  const sources = { code: source("in code"), docs: source("in docs") };
  const props = { sources, synthesizer, gatherOutput: outputs.made, synthesisOutput: outputs.judged };

  const finished = await finishedIn(await runToEnd(() => h(GatherAndSynthesize, props)));

  expect(finished.at(-1)).toBe("gather-and-synthesize-synthesize#0");
  expect(synthesizer.prompts[0]).toMatch(/in code[\s\S]*in docs/);
});

test("DriftDetector alerts exactly when the comparison says so", async () => {
  const detector = (drifted: boolean) => () =>
    h(DriftDetector, {
      captureAgent: agent(() => ({ text: "now" })),
      compareAgent: agent(() => ({ drifted })),
      captureOutput: outputs.made,
      compareOutput: outputs.judged,
      baseline: { text: "then" },
      alert: note("alarm"),
    });

  expect(await finishedIn(await runToEnd(detector(false)))).not.toContain("alarm#0");
  expect(await finishedIn(await runToEnd(detector(true)))).toContain("alarm#0");
});

test("Kanban: items go through the columns, and a failing one holds up no other", async () => {
  const work = agent((asked) => {
    if (asked.includes('"t1"')) throw new Error("broken");
    return { text: "worked" };
  });
  const columns = [
    { name: "triage", agent: agent(() => ({ text: "triaged" })), output: outputs.made },
    { name: "work", agent: work, output: outputs.judged, task: { noRetry: true } },
  ];
  const props = { columns, useTickets: () => [{ id: "t1" }, { id: "t2" }], onComplete: outputs.done, maxIterations: 1 };

  const ran = await runToEnd(() => h(Kanban, props));

  const steps = "kanban-triage-t1#0 kanban-triage-t2#0 kanban-work-t2#0 kanban-complete#0";
  expect((await finishedIn(ran)).join(" ")).toBe(steps);
  expect(await ran.rows("done")).toEqual(["kanban-complete#0"]);
});

test("SuperSmithers: read, propose, apply, report; a dry run applies nothing", async () => {
  const stages = async (dryRun: boolean): Promise<string[]> => {
    const one = agent(() => ({ text: "done" }));
    const props = { strategy: "# Simplify", agent: one, targetFiles: ["src/**"], reportOutput: outputs.made, dryRun };
    const finished = await finishedIn(await runToEnd(() => h(SuperSmithers, props)));
    expect(one.prompts[0]).toContain("# Simplify\n\nFiles: src/**");
    return finished.map((step) => step.replace("super-smithers-", ""));
  };

  expect(await stages(false)).toEqual(["read#0", "propose#0", "apply#0", "report#0"]);
  expect(await stages(true)).toEqual(["read#0", "propose#0", "report#0"]);
});
