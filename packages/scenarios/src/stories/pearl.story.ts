import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, type Page, test } from "@playwright/test";
import { OWNER, ROOT, type RunningHouse, startHouse } from "./house.ts";

/** The north star: one pearl becomes a reviewed diff, on real parts. Only the model is scripted. */

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
const DESKTOP = { viewport: { width: 1440, height: 900 } };
const SHOTS = process.env["STORY_SHOTS"];
const TITLE = "Part seconds are rounded";

let house: RunningHouse;
test.beforeAll(async () => {
  house = await startHouse();
});
test.afterAll(async () => {
  expect(await house.stop()).toBe(0);
});

test("a pearl becomes a merged commit, approved from a phone through the tunnel", async ({ browser }) => {
  const desktop = await (await browser.newContext(DESKTOP)).newPage();
  const phone = await (await browser.newContext(PHONE)).newPage();
  const troubles = [watch(desktop), watch(phone)];
  const repo = seedRepo(join(house.dir, "repo"));

  await test.step("the owner signs in with the printed link", async () => {
    await desktop.goto(house.signInUrl);
    await desktop.getByRole("button", { name: "Sign in" }).click();
    await expect(desktop.getByRole("heading", { name: "Home" })).toBeVisible();
    await shot(desktop, "home-desktop");
  });

  await test.step("a form with a missing title says so beside the field and creates nothing", async () => {
    await desktop.goto(`${house.webUrl}/pearls/new`);
    await desktop.getByRole("button", { name: "Create pearl" }).click();
    await expect(desktop.getByRole("alert").first()).toBeVisible();
    await expect(desktop).toHaveURL(/\/pearls\/new$/);
  });

  await test.step("the owner creates a pearl on the repository and runs it", async () => {
    await desktop.getByLabel("Title").fill(TITLE);
    await desktop.getByLabel("Description").fill("A test of formatDuration fails. Find out why and fix it.");
    await desktop.getByLabel("Repository").fill(repo);
    await desktop.getByLabel("Verify command").fill("node --test");
    await desktop.getByRole("button", { name: "Create pearl" }).click();
    await expect(desktop.getByRole("heading", { name: TITLE })).toBeVisible();
    await desktop.getByRole("button", { name: "Run", exact: true }).click();
    await expect(desktop).toHaveURL(/\/runs\/run-/);
    await expect(desktop.getByText("I start by looking at what is here.")).toBeVisible({ timeout: 120_000 });
    await expect(desktop.getByText("emulated VM, jailed").or(desktop.getByText("hardware-isolated VM"))).toBeVisible();
    await expect(desktop.getByText("DEMO model").first()).toBeVisible();
  });

  await test.step("a phone signs in by a mailed link and opens the live session through the tunnel", async () => {
    await phone.goto(`${house.webUrl}/sign-in`);
    await phone.getByLabel("Your e-mail address").fill(OWNER);
    await phone.getByRole("button", { name: "Send me a sign-in link" }).click();
    await expect(phone.getByRole("status")).toContainText("outbox");
    await phone.goto(house.newestLetter() ?? "about:blank");
    await phone.getByRole("button", { name: "Sign in" }).click();
    await expect(phone.getByRole("heading", { name: "Home" })).toBeVisible();
    await phone.goto(`${house.webUrl}/tunnel`);
    await phone.getByRole("button", { name: "Open live session" }).click();
    await phone.waitForURL((url) => url.origin === house.tunnelUrl && url.pathname === "/");
  });

  await test.step("the operator asks for a site; the phone sees the exact request and approves it", async () => {
    await expect(desktop.getByText(/docs\.example\.com/).first()).toBeVisible({ timeout: 120_000 });
    await shot(desktop, "run-desktop");
    await phone.getByRole("link", { name: /Inbox/ }).click();
    await expect(phone.getByText(/GET docs\.example\.com/).first()).toBeVisible();
    await shot(phone, "inbox-phone");
    await phone.getByRole("button", { name: "Approve" }).first().click();
  });

  await test.step("the governor believes the exit code", async () => {
    await expect(desktop.getByText("✓ Green")).toBeVisible({ timeout: 180_000 });
    await expect(desktop.getByText("The governor stopped")).toContainText("green");
  });

  await test.step("the diff is reviewed on the desktop and merged from the phone", async () => {
    await desktop.getByRole("tab", { name: /Diff/ }).click();
    await expect(desktop.getByText("Math.round(ms / 1000)")).toBeVisible();
    await shot(desktop, "diff-desktop");
    await phone.getByRole("button", { name: "Merge" }).click();
    await expect(desktop.getByText(/Merged into main/)).toBeVisible();
    await expect(desktop.getByText("Finished").first()).toBeVisible();
  });

  const git = (...args: string[]): string => execFileSync("git", ["-C", repo, ...args], { encoding: "utf8" }).trim();
  expect(git("log", "-1", "--format=%s")).toBe(TITLE);
  expect(git("show", "HEAD:src/duration.mjs")).toContain("Math.round(ms / 1000)");
  expect(git("status", "--porcelain")).toBe("");
  expect(troubles.flat()).toEqual([]);
});

function seedRepo(dir: string): string {
  const code = `import { seedSampleRepo } from "@smooth/agents/scripted/demo-repo"; await seedSampleRepo(${JSON.stringify(dir)});`;
  execFileSync(process.execPath, ["--input-type=module-typescript", "-e", code], {
    cwd: join(ROOT, "apps/agent-host"),
  });
  return dir;
}

/** Console errors and uncaught exceptions; the list grows as they come. */
function watch(page: Page): string[] {
  const troubles: string[] = [];
  page.on("pageerror", (error) => troubles.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") troubles.push(`${message.text()} ${message.location().url}`);
  });
  return troubles;
}

async function shot(page: Page, name: string): Promise<void> {
  if (SHOTS) await page.screenshot({ path: join(SHOTS, `${name}.png`) });
}
