import { systemClock, systemIds } from "@smooth/platform/node/system";
import { describe, expect, test } from "vitest";
import { runVmContract } from "../driver.contract.ts";
import { run } from "../run.ts";
import { fakeDriver } from "./fake-driver.ts";

describe("fake driver", () => runVmContract(() => fakeDriver({ clock: systemClock, ids: systemIds })));

test("a test brings its own programs, which see stdin, files and the way out", async () => {
  const driver = fakeDriver({
    clock: systemClock,
    ids: systemIds,
    programs: {
      operator: async ({ argv, files, stdout }) => {
        files.set("/workspace/done.txt", { content: Buffer.from(argv[1] ?? ""), mode: 0o644 });
        stdout.write("working\n");
        return 3;
      },
    },
  });
  await using vm = await driver.create({});

  expect(await run(vm, { argv: ["operator", "yes"] })).toMatchObject({
    outcome: { kind: "exited", code: 3 },
    stdout: "working\n",
  });
  expect((await vm.readFile("/workspace/done.txt")).toString()).toBe("yes");
  expect(driver.running.size).toBe(1);
});
