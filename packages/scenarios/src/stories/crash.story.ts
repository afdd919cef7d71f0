import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { ROOT, type RunningHouse, startHouse } from "./house.ts";

/** A power cut for the host alone, in the middle of an operator's work: the dashboard says so, and then shows the same run go on. */

let house: RunningHouse;
let secondLife: ChildProcess | undefined;

test.beforeAll(async () => {
  house = await startHouse();
});
test.afterAll(async () => {
  if (secondLife) {
    const gone = once(secondLife, "exit");
    secondLife.kill("SIGTERM");
    await gone;
  }
  expect(await house.stop()).toBe(0);
});

test("a host killed at work continues the run, and the web shows the same run without a step repeated", async ({
  browser,
}) => {
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
  await page.goto(house.signInUrl);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "Home" })).toBeVisible();
  await page.goto(`${house.webUrl}/pearls`);
  await page.getByRole("link", { name: /Make the failing duration test green/ }).click();
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await expect(page.getByText("Now the tests, to see which one fails.")).toBeVisible({ timeout: 120_000 });
  const url = page.url();

  process.kill(house.hostPid(), "SIGKILL");
  await expect(page.getByText(/is offline/)).toBeVisible({ timeout: 90_000 });
  secondLife = spawn(process.execPath, [join(ROOT, "apps/agent-host/src/bin/th.mjs"), "up"], {
    env: { ...process.env, SMOOTH_HOME: house.home, SMOOTH_PORT: "0", SMOOTH_DASHBOARD_URL: house.webUrl },
    stdio: "ignore",
  });

  await page.getByRole("button", { name: "Approve" }).first().click({ timeout: 120_000 });
  await expect(page.getByText("✓ Green")).toBeVisible({ timeout: 180_000 });
  expect(page.url()).toBe(url);
  await page.reload();
  await expect(page.getByText("✓ Green")).toBeVisible();
  for (const said of ["I start by looking at what is here.", "A small module and its tests. Let me read both."]) {
    await expect(page.getByText(said)).toHaveCount(1);
  }
  await expect(page.getByText("test/duration.test.mjs", { exact: true })).toHaveCount(1); // read before the cut, once
});
