import { existsSync } from "node:fs";
import AxeBuilder from "@axe-core/playwright";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "@playwright/test";
import type { PendingAsk } from "@smooth/protocol/asks";
import type { HostCommand } from "@smooth/protocol/host-sync";
import { AskId, PearlId, RunId } from "@smooth/protocol/ids";
import type { Pearl } from "@smooth/protocol/pearls";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { PlayedDashboard, type PlayedHost } from "./played-dashboard.ts";

/** The dashboard's pages in a real browser. */

const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const PHONE = { viewport: { width: 390, height: 844 } };
const RUN = RunId.parse("run-wait0001");
const PEARL = PearlId.parse("th-01clock0");

const pearl: Pearl = {
  id: PEARL,
  title: "Elapsed time goes negative",
  description: "Subtracts **wall** clocks.",
  status: "in_progress",
  priority: 1,
  type: "bug",
  labels: ["time"],
  repo: "/home/ada/clock",
  verify: "npm test",
  budgetUsd: 2,
  createdAtMs: Date.now(),
  updatedAtMs: Date.now(),
  closedAtMs: null,
};
const askWith = (id: string): PendingAsk => ({
  id: AskId.parse(id),
  version: 1,
  runId: RUN,
  pearlId: PEARL,
  subject: { kind: "network", host: "docs.example.com", port: 443, method: "CONNECT" },
  question: `Let the operator reach docs.example.com for ${id}?`,
  reason: "no rule names it",
  risk: "high",
  actionHash: "a".repeat(64),
  openedAtMs: Date.now(),
  expiresAtMs: null,
  status: "pending",
});

let dashboard: PlayedDashboard;
let host: PlayedHost;
let browser: Browser;
const orders: HostCommand["body"][] = [];
const away = new AbortController();

const usable = existsSync(executablePath);
beforeAll(async () => {
  if (!usable) return;
  dashboard = await PlayedDashboard.start();
  host = await dashboard.pairHost("ada-laptop");
  const online = host.serve(async (body) => void orders.push(body), away.signal);
  online.catch(() => undefined); // ends by the abort
  await host.report({ kind: "pearl", pearl, by: "ada" });
  await host.happens(
    RUN,
    { type: "run.started", title: pearl.title, workflow: "operator", pearlId: PEARL, demo: true },
    { type: "vm.started", driver: "qemu", level: "emulated-vm", restored: true, tookMs: 900 },
    { type: "message", partId: "p1", role: "assistant", text: "I **read** ![x](https://evil.example/p.png)" },
    { type: "tool.started", callId: "c1", tool: "bash", args: '{"command":"npm test"}' },
    { type: "diff.ready", diffHash: "d".repeat(64), files: [] },
  );
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-quic"] });
});
afterAll(async () => {
  away.abort();
  await browser?.close();
  await dashboard?.[Symbol.asyncDispose]();
});

async function open(options: BrowserContextOptions = PHONE): Promise<{ page: Page; requests: string[] }> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(120_000);
  const page = await context.newPage();
  const troubles: string[] = [];
  const requests: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => troubles.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().includes("status of 4")) troubles.push(message.text());
  });
  onTestFinished(async () => {
    await context.close();
    expect(troubles).toEqual([]);
  });
  return { page, requests };
}

async function signedIn(options?: BrowserContextOptions, email?: string): Promise<{ page: Page; requests: string[] }> {
  const opened = await open(options);
  await opened.page.goto(await dashboard.signInUrl(email));
  await opened.page.getByRole("button", { name: "Sign in" }).click();
  await opened.page.getByRole("heading", { name: "Home" }).waitFor();
  return opened;
}

describe.skipIf(!usable)("the dashboard", () => {
  test("a sign-in link survives being looked at, and signs in once", async () => {
    const link = await dashboard.signInUrl();
    for (let look = 0; look < 3; look += 1) await (await fetch(link)).body?.cancel(); // preview bots
    const { page } = await open();
    await page.goto(link);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Home" }).waitFor();

    const { page: second } = await open();
    await second.goto(link);
    await second.getByRole("button", { name: "Sign in" }).click();

    await expect.poll(() => second.locator("main").getByRole("alert").textContent()).toContain("used already");
  });

  test("the answer to an address is the same, member or not; only a member gets a letter", async () => {
    const before = dashboard.letters().length;
    const { page } = await open();
    for (const email of ["ada@example.com", "nobody@example.com"]) {
      await page.goto(`${dashboard.url}/sign-in`);
      await page.getByLabel("Your e-mail address").fill(email);
      await page.getByRole("button", { name: "Send me a sign-in link" }).click();
      await expect.poll(() => page.getByRole("status").textContent()).toContain("If this address belongs to a member");
    }

    expect(dashboard.letters().length - before).toBe(1);
  });

  test("a stranger reaches no page and no procedure", async () => {
    for (const path of ["/", "/pearls", `/runs/${RUN}`, "/hosts"]) {
      const answer = await fetch(`${dashboard.url}${path}`, { redirect: "manual" });
      expect([answer.status, answer.headers.get("location")]).toEqual([307, "/sign-in"]);
    }
    expect((await fetch(`${dashboard.url}/api/trpc/home.summary`)).status).toBe(401);
    expect((await fetch(`${dashboard.url}/sign-in`)).headers.get("content-security-policy")).toMatch(/'nonce-/);
  });

  test("what a person gets wrong is said beside the field, and nothing is created", async () => {
    const { page } = await signedIn();
    await page.goto(`${dashboard.url}/pearls/new`);
    await page.getByLabel("Budget").fill("-3");
    await page.getByRole("button", { name: "Create pearl" }).click();

    await expect.poll(() => page.getByText("Give it a title of 1 to 200 characters.").count()).toBe(1);
    await expect.poll(() => page.getByText("An amount above 0").count()).toBe(1);
    await expect.poll(() => page.evaluate("document.activeElement.name")).toBe("title");
    await page.goto(`${dashboard.url}/pearls`);
    await expect.poll(() => page.getByRole("link", { name: /th-/ }).count()).toBe(1);
    expect(await dashboard.db.command.count({ where: { kind: "createPearl" } })).toBe(0);
  });

  test("a pearl created and run here is an order the host gets", async () => {
    const { page } = await signedIn({ viewport: { width: 1_440, height: 900 } });
    await page.goto(`${dashboard.url}/pearls/new`);
    await page.getByLabel("Title").fill("Round part seconds");
    await page.getByLabel("Repository").fill("/home/ada/clock");
    await page.getByRole("button", { name: "Create pearl" }).click();
    await page.getByRole("heading", { name: "Round part seconds" }).waitFor();
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.waitForURL(/\/runs\/run-/);

    await expect.poll(() => orders.map(({ kind }) => kind)).toEqual(["createPearl", "dispatch"]);
  });

  test("a run is followed live, and its words fetch nothing", async () => {
    const { page, requests } = await signedIn();
    await page.goto(`${dashboard.url}/runs/${RUN}`);
    await page.getByRole("list", { name: "Transcript" }).waitFor();

    await host.happens(RUN, { type: "message.delta", partId: "p2", text: "just now" });

    await page.getByText("just now").waitFor();
    expect(requests.filter((url) => new URL(url).origin !== dashboard.url)).toEqual([]);
  });

  test("P7: an ask appears by itself, is decided once, and the second person learns by whom", async () => {
    const [first, second] = [await signedIn(), await signedIn(PHONE, await dashboard.member("approver"))];
    const ask = askWith("ask-once0001");
    await second.page.goto(`${dashboard.url}/inbox`);
    await host.happens(RUN, { type: "ask.opened", ask });
    const cards = [first, second].map(({ page }) => page.getByRole("region", { name: ask.question }));
    for (const card of cards) await card.getByRole("button", { name: "Approve" }).waitFor();

    await cards[0]?.getByRole("button", { name: "Approve" }).click();
    await expect.poll(() => cards[1]?.textContent()).toContain("Decided by");

    await expect
      .poll(() => orders.filter(({ kind }) => kind === "decideAsk"))
      .toMatchObject([{ askId: ask.id, version: 1, decision: { verdict: "approve", grant: "once" } }]);
  });

  test("a viewer is offered nothing that a viewer may not do", async () => {
    const ask = askWith("ask-look0001");
    await host.happens(RUN, { type: "ask.opened", ask });
    const { page } = await signedIn(PHONE, await dashboard.member("viewer"));
    expect(await page.getByRole("link", { name: "New pearl" }).count()).toBe(0);
    await page.goto(`${dashboard.url}/runs/${RUN}`);
    await page.getByText(ask.question).first().waitFor();
    expect(await page.getByRole("button", { name: /Approve|Deny|Pause|Cancel run|Send/ }).count()).toBe(0);
    await page.goto(`${dashboard.url}/hosts`);
    await page.getByRole("heading", { name: "ada-laptop" }).waitFor();
    expect(await page.getByRole("button", { name: /Revoke|Pair/ }).count()).toBe(0);
  });

  test("filters and searches live in the URL; a theme that was chosen stays", async () => {
    const { page } = await signedIn({ viewport: { width: 1_440, height: 900 } });
    await page.goto(`${dashboard.url}/pearls`);
    await page.getByLabel("Search pearls").fill("negative");
    await page.getByLabel("Search pearls").press("Enter");
    await page.waitForURL(/text=negative/);
    await expect.poll(() => page.getByRole("link", { name: /th-/ }).count()).toBe(1);

    await page.getByRole("button", { name: "Theme: system" }).click();
    await page.reload();
    expect(await page.evaluate("document.documentElement.dataset.theme")).toBe("light");
  });

  test.each([
    ["light", 320],
    ["dark", 390],
    ["dark", 1_440],
  ] as const)("every page is usable and accessible: %s, %i px", async (colorScheme, width) => {
    const { page } = await signedIn({ viewport: { width, height: 844 }, colorScheme });
    const paths = ["/", "/inbox?show=all", "/pearls", "/pearls/new", `/pearls/${PEARL}`, "/runs", `/runs/${RUN}`];
    for (const path of [...paths, "/hosts", "/tunnel", "/nowhere"]) {
      await page.goto(`${dashboard.url}${path}`);
      await page.getByRole("main").waitFor();
      const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag22aa"]).analyze();
      expect(violations.map(({ id, nodes }) => `${path} ${id} ${nodes[0]?.html}`)).toEqual([]);
      const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      expect(overflow, `${path} at ${width} px`).toBeLessThanOrEqual(0);
    }
  });
});
