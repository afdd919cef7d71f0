/** A child workflow in a real VM: what it sees, what it reaches, what comes out. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@smooth/platform/node/system";
import { sharedQemu } from "@smooth/vm/testing/qemu";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createSmithers } from "../create-smithers.ts";
import { h } from "../jsx-runtime.ts";
import { child } from "../testing/sandboxed/child.tsx";
import { testEngine } from "../testing/run-in-memory.ts";
import { openSandboxes } from "./sandboxes.node.ts";
import { z } from "zod";

const root = mkdtempSync(join(tmpdir(), "sandbox-real-"));
afterAll(() => rmSync(root, { recursive: true }));
const driver = sharedQemu();
beforeAll(() => driver.prepare(), 600_000);

const { Workflow, Sandbox, smithers, outputs } = createSmithers({ n: z.object({ n: z.number() }) });

test("a child workflow runs in a VM: it sees the folder without secrets, and its file comes back", async () => {
  writeFileSync(join(root, "given.txt"), "given");
  writeFileSync(join(root, ".env"), "KEY=1");
  const sandboxes = openSandboxes({ rootDir: root, drivers: { microvm: driver }, clock: systemClock });
  const engine = { ...testEngine(), clock: systemClock };
  const workflow = smithers(() =>
    h(
      Workflow,
      { name: "outer" },
      h(Sandbox, { id: "box", workflow: child, input: { n: 21 }, output: outputs.n, autoAcceptDiffs: true }),
    ),
  );
  const run = await testEngine().start(workflow, { ...engine, sandboxes });
  const result = await run.result;
  expect(result).toMatchObject({ status: "finished" });
  expect(readFileSync(join(root, "made.txt"), "utf8")).toBe("21 given");
});
