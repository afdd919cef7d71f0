import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "@playwright/test";
import { serveTestGateway, type TestGateway } from "@smooth/gateway/testing";
import type { Ask } from "@smooth/protocol/asks";
import { SmoothError } from "@smooth/protocol/errors";
import type { Handlers, Role } from "@smooth/protocol/gateway";
import { AskId, RunId } from "@smooth/protocol/ids";
import type { RunEvent, RunEventBody } from "@smooth/protocol/run-events";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { buildLive } from "./build.node.ts";

/** The live session in a real browser, in front of a real gateway; only what a host does is played here. */

const executablePath = "/usr/bin/chromium";
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true } satisfies BrowserContextOptions;
const RUN = RunId.parse("run-00000001");
const ASK: Extract<Ask, { status: "pending" }> = {
  id: AskId.parse("ask-00000001"),
  version: 1,
  runId: RUN,
  pearlId: null,
  subject: { kind: "network", host: "docs.example.com", port: 443, method: "CONNECT" },
  question: "Let the operator reach docs.example.com:443?",
  reason: "no rule names it",
  risk: "medium",
  actionHash: "a".repeat(64),
  openedAtMs: Date.now(),
  expiresAtMs: null,
  status: "pending",
};

/** One run whose events a test adds to; it remembers what people did. */
class PlayedHost {
  readonly did: string[] = [];
  readonly #events: RunEvent[] = [];
  #ask: Ask | null = null;
  #wake = Promise.withResolvers<void>();

  say(...bodies: RunEventBody[]): void {
    for (const body of bodies) {
      this.#events.push({ runId: RUN, seq: this.#events.length + 1, atMs: Date.now(), ...body });
      if (body.type === "ask.opened" || body.type === "ask.closed") this.#ask = body.ask;
    }
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  handlers(): Partial<Handlers> {
    const { did } = this;
    return {
      listRuns: async () => ({ runs: [summary] }),
      listAsks: async ({ status }) => ({
        asks: this.#ask && (status === "all" || this.#ask.status === "pending") ? [this.#ask] : [],
      }),
      decideAsk: async ({ decision }, caller) => {
        if (this.#ask?.status !== "pending") throw new SmoothError("ALREADY_DECIDED", "eve decided first");
        did.push(`${caller.role} ${decision.verdict}`);
        const ask: Ask = { ...ASK, status: "decided", decision, decidedBy: caller.name, decidedAtMs: Date.now() };
        this.say({ type: "ask.closed", ask });
        return { ask };
      },
      steerRun: async ({ text }, { name }) => {
        this.say({ type: "steered", text, by: name });
        return { ok: true };
      },
      streamRunEvents: (input, _, signal) => this.#stream(input.afterSeq, signal),
    };
  }

  async *#stream(afterSeq: number, signal: AbortSignal): AsyncGenerator<RunEvent> {
    const gone = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    for (let seq = afterSeq; !signal.aborted;) {
      const wake = this.#wake.promise;
      for (const event of this.#events.slice(seq)) yield event;
      seq = this.#events.length;
      await Promise.race([wake, gone]);
    }
  }
}

const summary = {
  runId: RUN,
  title: "Fix the clock",
  workflow: "operator",
  pearlId: null,
  status: "running" as const,
  reason: null,
  demo: true,
  pendingAsks: 0,
  costUsd: null,
  startedAtMs: Date.now(),
  updatedAtMs: Date.now(),
  lastSeq: 1,
};
const started: RunEventBody = {
  type: "run.started",
  title: "Fix the clock",
  workflow: "operator",
  pearlId: null,
  demo: true,
};

const dir = mkdtempSync(join(tmpdir(), "smooth-live-"));
const uiDir = join(dir, "ui");
let browser: Browser;
beforeAll(async () => {
  await buildLive(uiDir);
  if (existsSync(executablePath)) {
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-quic"] });
  }
});
afterAll(async () => {
  await browser?.close();
  rmSync(dir, { recursive: true });
});

interface Visit {
  readonly page: Page;
  readonly host: TestGateway;
  readonly played: PlayedHost;
}

async function visit(role: Role, options: BrowserContextOptions = PHONE): Promise<Visit> {
  const played = new PlayedHost();
  played.say(started);
  const host = await serveTestGateway(played.handlers(), { uiDir });
  const context = await browser.newContext(options);
  context.setDefaultTimeout(120_000);
  const page = await context.newPage();
  const troubles: string[] = [];
  page.on("pageerror", (error) => troubles.push(String(error)));
  onTestFinished(async () => {
    await context.close();
    await host[Symbol.asyncDispose]();
    expect(troubles).toEqual([]);
  });
  const { secret } = host.sessions.createLink({ role, ttlMs: 60_000, by: "ada" });
  await page.goto(`${host.url}/_session#link=${secret}`);
  await page.waitForURL(`${host.url}/`);
  return { page, host, played };
}

const openRun = (page: Page) => page.getByRole("link", { name: /Fix the clock/ }).click();

describe("building", () => {
  test("B1: what did not change is not built again; what was lost is", async () => {
    const out = join(dir, "again");

    expect(await buildLive(out)).toBe(true);
    expect(await buildLive(out)).toBe(false);
    writeFileSync(join(out, ".inputs"), "other");
    expect(await buildLive(out)).toBe(true);
  });

  test("B2: the page names hashed assets and holds no inline script", () => {
    const page = readFileSync(join(uiDir, "index.html"), "utf8");
    const assets = [...page.matchAll(/\/(assets\/live-[0-9a-f]{12}\.(?:js|css))/g)].map(([, path]) => path ?? "");

    expect(assets.map((path) => existsSync(join(uiDir, path)))).toEqual([true, true]);
    expect(page).not.toMatch(/<script>|<style>| on\w+=/);
  });
});

describe.skipIf(!existsSync(executablePath))("in a browser", () => {
  test("a stranger learns how to get a link, and nothing else", async () => {
    const { page, host } = await visit("viewer");
    await page.context().clearCookies();
    await page.goto(host.url);

    await expect.poll(() => page.getByRole("heading").textContent()).toBe("You are not signed in here");
    expect(await page.content()).not.toContain("Fix the clock");
  });

  test("output appears as it happens, and a burst is not lost", async () => {
    const { page, played } = await visit("viewer");
    await openRun(page);
    await page.getByRole("tab", { name: "Transcript" }).waitFor();

    played.say({ type: "message.delta", partId: "p", text: "Reading the **test**" });
    await page.getByText("test", { exact: true }).waitFor();

    played.say(...Array.from({ length: 2_000 }, (_, n): RunEventBody => ({ type: "note", text: `note ${n}` })));
    await page.getByText("note 1999", { exact: true }).waitFor();
    expect(await page.getByText(/^note \d+$/).count()).toBe(2_000);
  });

  test("P7: on a phone an approver sees the exact action and approves with one tap", async () => {
    const { page, played } = await visit("approver");
    played.say({ type: "ask.opened", ask: ASK }, { type: "run.status", status: "waiting", reason: "an ask" });

    const card = page.getByRole("region", { name: ASK.question });
    await expect.poll(() => card.textContent()).toContain("CONNECT docs.example.com:443");
    await card.getByRole("button", { name: "Approve" }).tap();

    await expect.poll(() => played.did).toEqual(["approver approve"]);
    await expect.poll(() => page.getByRole("button", { name: "Approve" }).count()).toBe(0);
  });

  test("the second to decide is told who was first", async () => {
    const { page, played } = await visit("approver");
    played.say({ type: "ask.opened", ask: ASK });
    await openRun(page);
    const deny = page.getByRole("button", { name: "Deny" });
    await deny.waitFor();
    await page.route("**/v1/rpc/decideAsk", (route) =>
      route.fulfill({ status: 409, json: { error: { code: "ALREADY_DECIDED", message: "eve decided first" } } }),
    );

    await deny.tap();

    await expect.poll(() => page.getByRole("alert").textContent()).toBe("eve decided first");
  });

  test("who may only watch is offered neither decision nor steering", async () => {
    const { page, played } = await visit("viewer");
    played.say({ type: "ask.opened", ask: ASK });
    await openRun(page);
    await page.getByText(ASK.question).first().waitFor();

    expect(await page.getByRole("button", { name: /Approve|Deny|Pause|Send/ }).count()).toBe(0);
  });

  test("what a steerer says stands in the transcript", async () => {
    const { page } = await visit("steerer");
    await openRun(page);

    await page.getByLabel("Steer the operator").fill("Keep the old name");
    await page.getByRole("button", { name: "Send" }).click();

    await page.getByRole("list", { name: "Transcript" }).getByText("Keep the old name").waitFor();
    await expect.poll(() => page.getByLabel("Steer the operator").inputValue()).toBe("");
  });

  test("S3: a revoked session ends on the page too", async () => {
    const { page, host } = await visit("viewer");
    await openRun(page);
    host.sessions.revokeAll();

    await expect.poll(() => page.getByRole("heading").textContent()).toMatch(/not signed in/);
  });

  test("a host that stops is told apart from this device being offline", async () => {
    const { page } = await visit("viewer");
    await page.getByRole("heading", { name: "Live session" }).waitFor();
    await page.route("**/v1/**", (route) => route.fulfill({ status: 503, body: "host_offline" }));
    await page.getByText(/The host went offline/).waitFor();

    await page.context().setOffline(true);
    await page.getByText("You are offline. What you see may be old.").waitFor();
    await page.unroute("**/v1/**");
    await page.context().setOffline(false);
    await expect.poll(() => page.getByText(/offline/).count()).toBe(0);
  });

  test.each([
    ["light", 320],
    ["dark", 390],
    ["light", 1_440],
  ] as const)("is usable and accessible: %s, %i px", async (colorScheme, width) => {
    const { page, played } = await visit("approver", { viewport: { width, height: 844 }, colorScheme });
    played.say(
      { type: "message", partId: "p", role: "assistant", text: "| a | b |\n|---|---|\n| 1 | 2 |\n\n`code`" },
      { type: "tool.started", callId: "c", tool: "bash", args: '{"command":"npm test"}' },
      { type: "ask.opened", ask: ASK },
    );

    for (const path of ["/", "/inbox", `/runs/${RUN}`]) {
      await page.goto(new URL(path, page.url()).href);
      await page.getByText(ASK.question).first().waitFor();
      const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag22aa"]).analyze();
      expect(violations.map(({ id, nodes }) => `${id} ${nodes[0]?.html}`)).toEqual([]);
      expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBeLessThanOrEqual(0);
    }
  });
});
