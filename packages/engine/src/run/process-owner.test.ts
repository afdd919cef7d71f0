import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { expect, test } from "vitest";
import { isOwnerAlive, processOwner } from "./process-owner.node.ts";

test("this process lives; its pid in another boot or with another start time does not", () => {
  const own = processOwner();

  expect(isOwnerAlive(own)).toBe(true);
  expect(isOwnerAlive({ ...own, boot: "another" })).toBe(false);
  expect(isOwnerAlive({ ...own, pidStartedAt: "1" })).toBe(false);
});

test("a killed process is gone", async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  await once(child, "spawn");
  const owner = { ...processOwner(), pid: child.pid ?? 0, pidStartedAt: "" };
  expect(isOwnerAlive(owner)).toBe(true);

  child.kill("SIGKILL");
  await once(child, "exit");

  expect(isOwnerAlive(owner)).toBe(false);
});
