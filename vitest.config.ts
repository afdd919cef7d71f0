import { defineConfig } from "vitest/config";

/** Three projects: `unit` runs in parallel; `processes` starts and kills processes of its own, in folders and ports of its own, also
 *  in parallel; `machine` boots VMs, and runs alone. */
const processes = ["packages/{engine,workflow,api,agents}/src/**/*.machine.test.{ts,tsx}"];
const machine = ["packages/*/src/**/*.machine.test.{ts,tsx}", "apps/*/src/**/*.machine.test.ts"];
/** No test's outcome hangs on speed: these bounds are for what hangs, and a busy computer never comes near them. */
const patient = { testTimeout: 180_000, hookTimeout: 600_000, expect: { poll: { timeout: 60_000, interval: 20 } } };
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
          ...patient,
        },
      },
      {
        test: {
          name: "processes",
          globalSetup,
          include: processes,
          exclude: ["**/node_modules/**"],
          ...patient,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "machine",
          globalSetup,
          include: machine,
          exclude: ["**/node_modules/**", ...processes],
          ...patient,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
