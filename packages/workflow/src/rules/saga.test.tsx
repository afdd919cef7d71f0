/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §6 about sagas. */
import { settle } from "@smooth/platform/testing";
import { describe, expect, test } from "vitest";
import { Aborts, Bad, ended, Ok, wf } from "../testing/failing.tsx";
import { Saga, Sequence } from "../testing/rules.ts";
import { runToEnd, testEngine } from "../testing/run-in-memory.ts";

describe("Saga", () => {
  const steps = (failing: string | null, compensations: "ok" | "bad" = "ok") =>
    ["a", "b", "c"].map((id) => ({
      id,
      action: id === failing ? <Bad id={id} /> : <Ok id={id} />,
      compensation: compensations === "bad" && id === "b" ? <Bad id={`undo-${id}`} /> : <Ok id={`undo-${id}`} />,
    }));

  test("without a failure nothing is undone", async () => {
    const run = await runToEnd(wf(<Saga key="s" id="s" steps={steps(null)} />));

    expect(ended(run.trace())).toEqual(["a", "b", "c"].map((id) => `node.finished ${id}#0`));
  });

  test.each([
    ["compensate", "finished", ["node.finished undo-b#0", "node.finished undo-a#0", "node.finished after#0"]],
    ["compensate-and-fail", "failed", ["node.finished undo-b#0", "node.finished undo-a#0"]],
    ["fail", "failed", []],
  ] as const)("onFailure %s ends %s", async (onFailure, status, tail) => {
    const run = await runToEnd(
      wf(<Saga key="s" id="s" onFailure={onFailure} steps={steps("c")} />, <Ok key="after" id="after" />),
    );

    expect(run.result).toMatchObject(status === "failed" ? { status, error: { message: "c broke" } } : { status });
    expect(ended(run.trace()).slice(2)).toEqual(["node.failed c#0", ...tail]);
  });

  test("only completed steps are undone: not the failed one, even when a part of it was done", async () => {
    const run = await runToEnd(
      wf(
        <Saga key="s" id="s">
          <Saga.Step id="one" compensation={<Ok id="undo-one" />}>
            <Ok id="a" />
          </Saga.Step>
          <Saga.Step id="two" compensation={<Ok id="undo-two" />}>
            <Sequence>
              <Ok id="b" />
              <Bad id="c" />
            </Sequence>
          </Saga.Step>
        </Saga>,
      ),
    );

    expect(ended(run.trace())).toEqual([
      "node.finished a#0",
      "node.finished b#0",
      "node.failed c#0",
      "node.finished undo-one#0",
    ]);
  });

  test("a failing compensation fails the run", async () => {
    const run = await runToEnd(wf(<Saga key="s" id="s" steps={steps("c", "bad")} />));

    expect(run.result).toMatchObject({ status: "failed", error: { nodeId: "undo-b" } });
    expect(run.trace()).not.toContain("node.started undo-a#0");
  });

  test("nothing is undone when the run is cancelled", async () => {
    const engine = testEngine();
    const handle = await engine.start(
      wf(
        <Saga key="s" id="s">
          <Saga.Step id="one" compensation={<Ok id="undo" />}>
            <Ok id="a" />
          </Saga.Step>
          <Saga.Step id="two" compensation={<Ok id="undo-two" />}>
            <Aborts id="b" />
          </Saga.Step>
        </Saga>,
      ),
    );
    await settle();
    handle.cancel();

    expect((await handle.result).status).toBe("cancelled");
    expect(engine.trace()).not.toContain("node.started undo#0");
  });

  test("two steps of one saga with one id are refused before anything runs", async () => {
    const twice = ["x", "y"].map((task) => ({
      id: "one",
      action: <Ok id={task} />,
      compensation: <Ok id={`undo-${task}`} />,
    }));

    const run = await runToEnd(wf(<Saga key="s" id="s" steps={twice} />));

    expect(run.result).toMatchObject({ status: "failed", error: { code: "DUPLICATE_ID" } });
    expect(run.trace()).toEqual([]);
  });
});
