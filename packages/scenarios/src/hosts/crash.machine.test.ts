import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunId } from "@smooth/protocol/ids";
import type { RunEvent } from "@smooth/protocol/run-events";
import { eventually } from "../patience.ts";
import { serveSite, type Site } from "./listeners.ts";
import { bash, type ModelStub, serveModel } from "./model-stub.ts";
import { descendantsOf, isQemu, isRunning } from "./processes.ts";
import { APPROVE, OVER, RealHost } from "./real-host.ts";
import { makeRepository, type Repository } from "./repository.ts";

/** One run, four kills of its host: while the model thinks about a result, inside a command, while a person is asked, and
 *  before the diff is approved (promise P1).
 *  The provider speaks Anthropic's dialect and is found by providers.json.
 *  Every command leaves two traces: a line in the workspace, and a visit to a website outside. */

const KEY = `hush-${randomBytes(24).toString("hex")}`;

let host: RealHost;
let site: Site;
let model: ModelStub;
let repo: Repository;
let outside: string;
let runId: RunId;
let events: RunEvent[];
const orphans: number[] = [];
const asksSeen: number[] = [];
const modelThinks = Promise.withResolvers<void>();
let thinksForever = true;

/** The first time it is asked, the model has no answer before its host is gone. */
async function thinkOnce(): Promise<void> {
  if (!thinksForever) return;
  thinksForever = false;
  modelThinks.resolve();
  await new Promise(() => undefined);
}

/** A command with both traces. */
const effect = (name: string): string => `echo ${name} >> effects.txt && curl -sS -m 60 ${site.origin}/${name}`;

async function crash(): Promise<void> {
  const qemus = descendantsOf(host.pid).filter(isQemu);
  await host.kill();
  await eventually(() => expect(qemus.filter(({ pid }) => isRunning(pid))).toEqual([]));
  orphans.push(qemus.length);
  await host.start();
  asksSeen.push((await host.client.call("listAsks", { runId })).asks.length);
}

beforeAll(async () => {
  site = await serveSite();
  model = await serveModel([
    {
      calls: [
        bash(`mkdir -p shared && echo pwned > shared/keep.txt && echo pwned > shared/new.txt && ${effect("one")}`),
      ],
    },
    { calls: [bash(effect("two"))] },
    { first: thinkOnce, calls: [bash(effect("three"))] },
    { calls: [bash(`${effect("four")} && env`), bash("echo 42 > answer.txt")] },
  ]);
  host = new RealHost({ STRANGER_KEY: KEY, ...site.resolve });
  const stranger = { id: "stranger", api_url: model.url, api_key_env: "STRANGER_KEY", api_format: "Anthropic" };
  writeFileSync(
    join(host.home, "providers.json"),
    JSON.stringify({ providers: [{ ...stranger, default_model: "stranger-1", max_tokens: 4_321 }] }),
  );
  repo = makeRepository(join(host.dir, "repo"), { "answer.txt": "41\n" });
  outside = join(host.dir, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "keep.txt"), "mine\n");
  symlinkSync(outside, join(repo.path, "shared"));
  repo.git("add", "-A");
  repo.git("commit", "-q", "-m", "link to what is not in the repository");
  await host.start();
  const threeIsRunning = site.holdNext("/three");
  runId = await host.launch({ repo: repo.path, title: "Make the answer 42", verify: "grep -qx 42 answer.txt" });
  await approve("network", "run");
  await modelThinks.promise;
  await crash();
  await threeIsRunning;
  await crash();
  await pending("tool");
  await crash();
  await approve("tool", "once");
  await pending("merge");
  await crash();
  await approve("merge", "once");
  events = await host.eventsUntil(runId, (event) => event.type === "run.status" && OVER.has(event.status));
});

afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
  await Promise.all([model, site].map((each) => each?.[Symbol.asyncDispose]()));
});

test("the same run goes on to its end after every kill", () => {
  expect(events.at(-1)).toMatchObject({ type: "run.status", status: "finished" });
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
});

test("no completed command runs again: only the one that was cut off is repeated", () => {
  expect(site.visits).toEqual(["/one", "/two", "/three", "/three", "/four"]);
});

test("every effect is in the diff and in the merged commit exactly once", () => {
  expect(repo.git("show", "HEAD:effects.txt").split("\n")).toEqual(["one", "two", "three", "four"]);
  expect(repo.git("show", "HEAD:answer.txt")).toBe("42");
  expect(repo.git("log", "--format=%s")).toBe("Make the answer 42\nlink to what is not in the repository\nstart");
  expect(repo.git("status", "--porcelain")).toBe("");
});

test("the model is asked again only for what it had not said", () => {
  expect(model.asked.map(({ step }) => step)).toEqual([0, 1, 2, 2, 3, 4]);
});

test("the provider got its key in its dialect's header with every request, its limit, and counted tokens; the guest got none of the key", () => {
  expect(new Set(model.asked.map(({ apiKey, authorization }) => `${String(apiKey)} ${authorization}`))).toEqual(
    new Set([`${KEY} undefined`]),
  );
  expect(new Set(model.asked.map((asked) => `${asked.model} ${asked.maxTokens}`))).toEqual(
    new Set(["stranger-1 4321"]),
  );
  expect(events.filter(({ type }) => type === "usage").at(-1)).toMatchObject({ inputTokens: 100, outputTokens: 9 });
  expect(JSON.stringify(events)).toContain("HTTP_PROXY=");
  expect(JSON.stringify(events)).not.toContain(KEY.slice(0, 12));
});

test("a killed host leaves no VM, and the next one needs none of it", () => {
  expect(orphans).toEqual([1, 1, 1, 0]);
  expect(readdirSync(host.home)).toContain("host.json");
});

test("a workspace that is put together again is written nowhere else, though the repository links elsewhere", () => {
  expect(readdirSync(outside)).toEqual(["keep.txt"]);
  expect(readFileSync(join(outside, "keep.txt"), "utf8")).toBe("mine\n");
  expect(repo.git("show", "HEAD:shared/new.txt")).toBe("pwned");
});

test("an open ask is the same one ask after the kill", () => {
  const opened = events.flatMap((event) => (event.type === "ask.opened" ? [event.ask] : []));

  expect(asksSeen).toEqual([0, 0, 1, 1]);
  expect(opened.map(({ subject }) => subject.kind)).toEqual(["network", "tool", "merge"]);
});

/** Resolves when one is open. */
async function pending(kind: "network" | "tool" | "merge"): Promise<void> {
  await host.eventsUntil(runId, (event) => event.type === "ask.opened" && event.ask.subject.kind === kind);
}

async function approve(kind: "network" | "tool" | "merge", grant: "once" | "run"): Promise<void> {
  await pending(kind);
  const { asks } = await host.client.call("listAsks", { runId });
  const ask = asks.find(({ subject }) => subject.kind === kind);
  if (!ask) throw new Error(`no open ask about ${kind}: ${JSON.stringify(asks)}`);
  await host.client.call("decideAsk", {
    askId: ask.id,
    version: ask.version,
    decision: { ...APPROVE, grant } as typeof APPROVE,
  });
}
