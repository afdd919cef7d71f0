import { defineConfig } from "vitest/config";

/** Two projects: `unit` runs in parallel; `machine` boots VMs, kills processes, measures sizes, and runs alone. */
const machine = ["packages/*/src/**/*.machine.test.{ts,tsx}", "apps/*/src/**/*.machine.test.ts"];
/** Tests start the programs as they are shipped, so these are built first. */
const globalSetup = "scripts/bundle.mjs";
export default defineConfig({
  test: {
    reporters: process.env["CI"] ? ["default", "json"] : ["default"],
    outputFile: { json: ".data/vitest.json" },
    projects: [
      {
        test: {
          name: "unit",
          globalSetup,
          include: ["packages/*/src/**/*.test.{ts,tsx}", "apps/*/src/**/*.test.{ts,tsx}", "prisma/src/**/*.test.ts"],
          exclude: ["**/node_modules/**", ...machine],
          testTimeout: 20_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "machine",
          globalSetup,
          include: machine,
          exclude: ["**/node_modules/**"],
          testTimeout: 180_000,
          hookTimeout: 600_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
