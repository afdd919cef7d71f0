import { defineConfig } from "vitest/config";

/** Three projects: `unit` runs in parallel; `processes` starts and kills processes and VMs of its own, in folders and ports of its
 *  own, also in parallel; `machine` starts whole hosts and houses, and runs alone. */
const machine = ["packages/scenarios/src/**/*.machine.test.ts"];
const processes = ["packages/*/src/**/*.machine.test.{ts,tsx}", "apps/*/src/**/*.machine.test.ts"];
/** No test's outcome hangs on speed: these bounds are for what hangs, and a busy computer never comes near them. Nor does it hang
 *  on the language of whoever runs it: where that is not installed, bash says so in the middle of its output. */
const patient = {
  testTimeout: 300_000,
  hookTimeout: 600_000,
  expect: { poll: { timeout: 60_000, interval: 20 } },
  env: { LC_ALL: "C.UTF-8" },
};
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
          exclude: ["**/node_modules/**", ...processes],
          ...patient,
        },
      },
      {
        test: {
          name: "processes",
          globalSetup,
          include: processes,
          exclude: ["**/node_modules/**", ...machine],
          ...patient,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "machine",
          globalSetup,
          include: machine,
          exclude: ["**/node_modules/**"],
          ...patient,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
