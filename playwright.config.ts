import { defineConfig } from "@playwright/test";

/** Browser stories against real parts; each story starts the house it needs. Debian's Chromium, no downloads. */
export default defineConfig({
  testDir: "packages/scenarios/src/stories",
  testMatch: "*.story.ts",
  timeout: 600_000,
  expect: { timeout: 120_000 },
  workers: 1,
  reporter: [["line"], ["json", { outputFile: ".data/playwright.json" }]],
  outputDir: ".data/test-results",
  use: {
    screenshot: "only-on-failure",
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});
