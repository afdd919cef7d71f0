import { afterAll, beforeAll, expect, test } from "vitest";
import { join } from "node:path";
import type { RunId } from "@smooth/protocol/ids";
import type { RunEvent } from "@smooth/protocol/run-events";
import { eventually } from "../patience.ts";
import { serveSite, type Site } from "./listeners.ts";
import { bash, type ModelStub, serveModel } from "./model-stub.ts";
import { descendantsOf, isQemu, isRunning } from "./processes.ts";
import { APPROVE, OVER, RealHost } from "./real-host.ts";
import { makeRepository, type Repository } from "./repository.ts";

/** A person's hand on a running operator: pause, words, unpause, cancel. */

/** Long enough for an emulated machine to begin what it must not. */
const WATCH_MS = 3_000;
const [WHILE_IT_LISTENS, WHILE_NOBODY_DOES] = ["Write the answer in words, please.", "And in capitals."];

let host: RealHost;
let site: Site;
let model: ModelStub;
let repo: Repository;
let runId: RunId;
const released = Promise.withResolvers<void>();
const modelIsAsked = Promise.withResolvers<void>();

beforeAll(async () => {
  site = await serveSite();
  model = await serveModel([
    { calls: [bash(`curl -sS ${site.origin}/begun`)] },
    {
      say: "Now I would go on.",
      first: () => (modelIsAsked.resolve(), released.promise),
      calls: [bash(`curl -sS ${site.origin}/went-on`)],
    },
    { calls: [bash(`(sleep 600 & sleep 600 & wait) & curl -sS -m 600 ${site.origin}/endless`)] },
  ]);
  host = new RealHost({ SMOOTH_MODEL_URL: model.url, SMOOTH_MODEL: "stranger-1", ...site.resolve });
  repo = makeRepository(join(host.dir, "repo"), { "answer.txt": "41\n" });
  await host.start();
  runId = await host.launch({ repo: repo.path, title: "Make the answer 42", verify: "grep -qx 42 answer.txt" });
  void host.decideAsks(runId, () => ({ ...APPROVE, grant: "run" }) as typeof APPROVE).catch(() => undefined);
});

afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
  await Promise.all([model, site].map((each) => each?.[Symbol.asyncDispose]()));
});

test("a paused operator asks no model and begins no tool, whatever the model told it before", async () => {
  await modelIsAsked.promise;
  await host.client.call("pauseRun", { runId });
  released.resolve();
  await host.eventsUntil(runId, (event) => event.type === "message" && event.text === "Now I would go on.");
  const askedBefore = model.asked.length;
  await new Promise((resolve) => setTimeout(resolve, WATCH_MS));

  expect(await host.client.call("getRun", { runId })).toMatchObject({ status: "paused" });
  expect(site.visits).toEqual(["/begun"]);
  expect(model.asked).toHaveLength(askedBefore);
  expect((await eventsSoFar()).filter(({ type }) => type === "tool.started")).toHaveLength(1);
});

test("it is still paused when its host was killed meanwhile, twice", async () => {
  await host.client.call("steerRun", { runId, text: WHILE_IT_LISTENS });
  await host.kill();
  await host.start();
  await host.client.call("steerRun", { runId, text: WHILE_NOBODY_DOES });
  const { lastSeq } = await host.client.call("getRun", { runId });
  await host.kill();
  await host.start();
  await host.eventsUntil(runId, ({ type, seq }) => seq > lastSeq && type === "vm.started");
  await new Promise((resolve) => setTimeout(resolve, WATCH_MS));

  expect(await host.client.call("getRun", { runId })).toMatchObject({ status: "paused" });
  expect(site.visits).toEqual(["/begun"]);
  expect(model.asked).toHaveLength(2);
});

test("a person's words survive both kills and are in the next request to the model, once and in order", async () => {
  const endless = site.holdNext("/endless");
  const words = ({ content }: { readonly content: string }): boolean =>
    content === WHILE_IT_LISTENS || content === WHILE_NOBODY_DOES;
  expect(model.asked.flatMap(({ messages }) => messages).filter(words)).toEqual([]);
  await host.client.call("unpauseRun", { runId });
  await endless;

  expect(site.visits).toEqual(["/begun", "/went-on", "/endless"]);
  expect(model.asked.map(({ messages }) => messages.filter(words).map(({ content }) => content))).toEqual([
    [],
    [],
    [WHILE_IT_LISTENS, WHILE_NOBODY_DOES],
  ]);
});

test("a cancelled run is over, with its VM and everything in it", async () => {
  const sandbox = descendantsOf(host.pid).filter((running) => isQemu(running) || running.name === "bwrap");
  expect(sandbox.filter(isQemu)).toHaveLength(1);

  await host.client.call("cancelRun", { runId });
  const events = await host.eventsUntil(runId, (event) => event.type === "run.status" && OVER.has(event.status));
  await eventually(() => expect(sandbox.filter(({ pid }) => isRunning(pid))).toEqual([]));

  expect(events.at(-1)).toMatchObject({ type: "run.status", status: "cancelled" });
  expect(await host.client.call("getRun", { runId })).toMatchObject({ status: "cancelled", pendingAsks: 0 });
  // The run's end is told first; then its pearl is free again.
  await eventually(async () =>
    expect(await host.client.call("listPearls", {})).toMatchObject({ pearls: [{ status: "open" }] }),
  );
  expect(repo.git("log", "--format=%s")).toBe("start");
});

test("what was cancelled stays over after a restart", async () => {
  await host.kill();
  await host.start();

  expect(await host.client.call("getRun", { runId })).toMatchObject({ status: "cancelled" });
  expect(await host.client.call("hostStatus", {})).toMatchObject({ runsActive: 0 });
  expect(model.asked).toHaveLength(3);
});

test("a run cancelled while it asks a person is over; its ask is void, its VM gone", async () => {
  const { pearls } = await host.client.call("listPearls", {});
  const again = await host.client.call("launchRun", { pearlId: pearls[0]?.id });
  await host.eventsUntil(again.runId, ({ type }) => type === "ask.opened");
  const qemus = descendantsOf(host.pid).filter(isQemu);

  await host.client.call("cancelRun", again);
  await host.eventsUntil(again.runId, (event) => event.type === "run.status" && event.status === "cancelled");
  await eventually(() => expect(qemus.filter(({ pid }) => isRunning(pid))).toEqual([]));

  expect(qemus).toHaveLength(1);
  await eventually(async () =>
    expect(await host.client.call("listAsks", { status: "all", runId: again.runId })).toMatchObject({
      asks: [{ status: "void" }],
    }),
  );
});

async function eventsSoFar(): Promise<RunEvent[]> {
  const { lastSeq } = await host.client.call("getRun", { runId });
  return host.eventsUntil(runId, ({ seq }) => seq >= lastSeq);
}
