/** @jsxImportSource @smooth/workflow */
/** What one more of something costs when there are many already: counted, and the same for 200 as for 2,000. */
import { decideApproval, signalRun } from "@smooth/engine/control";
import type { RunStore } from "@smooth/engine/store";
import { why } from "@smooth/engine/why";
import { settle } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { Approval, one, outputs, Parallel, smithers, Task, Workflow } from "../testing/rules.ts";
import { WaitForEvent } from "../components/wait-for-event.ts";
import { testEngine } from "../testing/run-in-memory.ts";

/** How many rows of the log and of approvals were read. */
function counting(store: RunStore) {
  const read = { rows: 0 };
  const counted = new Proxy(store, {
    get(target, name: keyof RunStore) {
      const method = target[name] as (...args: unknown[]) => Promise<unknown>;
      if (name !== "events" && name !== "approvals") return method.bind(target);
      return async (...args: unknown[]) => {
        const rows = (await method.apply(target, args)) as readonly unknown[];
        read.rows += rows.length;
        return rows;
      };
    },
  });
  return { store: counted, read };
}

const times = <T,>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));

test.each([200, 2_000])(
  "the next of %i signals to one run reads what came since the last one, and so does why",
  async (many) => {
    const engine = testEngine();
    const { store, read } = counting(engine.store);
    const workflow = smithers(() => (
      <Workflow name="signals">
        <WaitForEvent id="w" event="other" output={outputs.n} />
      </Workflow>
    ));
    await (
      await engine.start(workflow, { runId: "r", store })
    ).result;
    const send = (atMs: number) => signalRun(store, { runId: "r", name: "go", payload: { n: 1 }, by: "ann", atMs });
    for (const atMs of times(many, (at) => at)) await send(atMs);
    read.rows = 0;

    await send(many);
    await why(store, "r");
    await why(store, "r");

    expect(read.rows).toBe(2);
  },
);

test.each([200, 2_000])(
  "the next of %i decisions about one run reads one row here and one in the run",
  async (many) => {
    const engine = testEngine();
    const { store, read } = counting(engine.store);
    const workflow = smithers(() => (
      <Workflow name="approvals">
        <Parallel>
          {times(many, (at) => (
            <Approval key={at} id={`ask${at}`} output={outputs.decision} request={{ title: "?" }} />
          ))}
          <Task id="holds" output={outputs.n}>
            {() => held.promise.then(one)}
          </Task>
        </Parallel>
      </Workflow>
    ));
    const held = Promise.withResolvers<void>();
    const handle = await engine.start(workflow, { runId: "r", store });
    const decide = async (nodeId: string) => {
      const decision = { verdict: "approve" } as const;
      await decideApproval(store, { runId: "r", nodeId, iteration: 0, decision, by: "ann", atMs: 1 });
      await settle();
    };
    await settle();
    await decide("ask0");
    read.rows = 0;

    await decide("ask1");

    expect(engine.trace()).toContain("node.finished ask1#0");
    // The row for the decider, its event and its row for the run, and the run's own event after it.
    expect(read.rows).toBeLessThanOrEqual(4);
    handle.release();
    held.resolve();
    await handle.result;
  },
);
