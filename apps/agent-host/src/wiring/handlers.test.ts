import type { Caller } from "@smooth/protocol/gateway";
import { RunId } from "@smooth/protocol/ids";
import { NewPearl } from "@smooth/protocol/pearls";
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
  const { launchRun } = makeHandlers({
    runs: { launch },
    waiting: {},
    flows: { engine: {} },
  } as unknown as HandlerDeps);
  return {
    launched,
    launchRun: (caller: Caller) => launchRun({ workflow: "/tmp/flow.tsx", input: {}, settings: {} }, caller),
  };
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

test.each([
  ["steerer", ["/known"], "POLICY_DENIED"],
  ["approver", ["/known"], "POLICY_DENIED"],
  ["owner", ["/known", "/new"], "ok"],
] as const)("a pearl of a %s may be on %j; on a new repository: %s", async (role, allowed, onNew) => {
  const created: string[] = [];
  const pearls = {
    list: () => [{ repo: "/known" }],
    create: ({ repo }: { readonly repo: string }) => void created.push(repo),
  };
  const { createPearl } = makeHandlers({ pearls, waiting: {}, flows: { engine: {} } } as unknown as HandlerDeps);
  const create = (repo: string) =>
    createPearl(NewPearl.parse({ title: "t", repo }), { name: "sam", role, via: "tunnel" });

  await create("/known");
  const outcome = await create("/new").then(
    () => "ok",
    ({ code }: { readonly code: string }) => code,
  );

  expect({ outcome, created }).toEqual({ outcome: onNew, created: allowed });
});

const B1 = [
  ["forkRun", { resetNodes: [], start: false, restoreVcs: false, force: false }],
  ["retryTask", { nodeId: "a", iteration: 0, deps: true, force: false }],
  ["timetravel", { nodeId: "a", iteration: 0, deps: true, vcs: true, resume: false, force: false }],
  ["revertFiles", { nodeId: "a", iteration: 0 }],
  ["rewindRun", { frame: 1, confirm: true, resume: false, force: false }],
  ["createSchedule", { pattern: "* * * * *", workflow: "/flow.tsx" }],
  ["deleteSchedule", { scheduleId: "cron-1" }],
  ["pauseSchedule", { scheduleId: "cron-1", paused: true }],
] as const;
test.each(B1)("B1: %s is for the owner at this machine alone", async (method, input) => {
  // Whatever it would touch is not there: a call that goes on throws something else.
  const handlers = makeHandlers({ waiting: {}, flows: { engine: {} } } as unknown as HandlerDeps);
  const call = handlers[method] as unknown as (input: unknown, caller: Caller) => Promise<unknown>;

  for (const caller of [
    { name: "owner", role: "owner", via: "tunnel" },
    { name: "ann", role: "approver", via: "local" },
  ] as const)
    await expect(call({ runId: RUN, ...input }, caller)).rejects.toMatchObject({ code: "POLICY_DENIED" });
});
