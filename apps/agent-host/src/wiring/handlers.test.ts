import type { Caller } from "@smooth/protocol/gateway";
import { RunId } from "@smooth/protocol/ids";
import { expect, test } from "vitest";
import type { Launch } from "./actions.ts";
import { type HandlerDeps, makeHandlers } from "./handlers.ts";

const RUN = RunId.parse("run-00000001");

function launcher() {
  const launched: Launch[] = [];
  const launch = async (what: Launch) => {
    launched.push(what);
    return RUN;
  };
  // Only what `launchRun` touches: the other rooms would throw when used.
  const { launchRun } = makeHandlers({ runs: { launch } } as unknown as HandlerDeps);
  return { launched, launchRun: (caller: Caller) => launchRun({ workflow: "/tmp/flow.tsx", input: {} }, caller) };
}

test("the owner at this machine may run a workflow file", async () => {
  const { launched, launchRun } = launcher();

  await launchRun({ name: "owner", role: "owner", via: "local" });

  expect(launched).toHaveLength(1);
});

test.each([
  { name: "sam", role: "steerer", via: "tunnel" },
  { name: "ann", role: "approver", via: "local" },
  { name: "owner", role: "owner", via: "tunnel" },
] as const)("$name as $role by $via may not run a workflow file, and nothing starts", async (caller) => {
  const { launched, launchRun } = launcher();

  await expect(launchRun(caller)).rejects.toMatchObject({ code: "POLICY_DENIED" });

  expect(launched).toEqual([]);
});
