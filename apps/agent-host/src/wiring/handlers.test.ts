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
