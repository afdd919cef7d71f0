import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { expect, onTestFinished, test } from "vitest";
import { bootId, processOwner, startedAt } from "../run/process-owner.node.ts";
import { processGroups } from "./process-groups.node.ts";

/** A group that sleeps, and a folder for its file. */
function sleeping() {
  const dir = mkdtempSync(join(tmpdir(), "smooth-groups-"));
  const child = spawn("sleep", ["600"], { detached: true, stdio: "ignore" });
  const pid = child.pid ?? 0;
  const ended = once(child, "exit");
  onTestFinished(() => {
    child.kill("SIGKILL");
    rmSync(dir, { recursive: true });
  });
  return { dir, pid, ended, isAlive: () => process.kill(pid, 0) };
}
const dead = { ...processOwner(), pidStartedAt: "1" };

test("O1: the file of a group is there from its start and gone with its end", () => {
  const { dir, pid } = sleeping();
  const groups = processGroups(dir, processOwner());

  const end = groups.started(pid, "/work");
  expect(readdirSync(dir)).toEqual([`${pid}.json`]);
  end();

  expect(readdirSync(dir)).toEqual([]);
});

test("O2: the group of a dead owner is killed, that of a living one is not", async () => {
  const { dir, pid, ended, isAlive } = sleeping();
  processGroups(dir, processOwner()).started(pid, "/work");
  expect([processGroups(dir, processOwner()).reap(), isAlive()]).toEqual([[], true]);

  processGroups(dir, dead).started(pid, "/work");

  expect(processGroups(dir, processOwner()).reap()).toMatchObject([{ pgid: pid, folder: "/work" }]);
  await ended;
});

test("O2: a process that was given the pid of a dead owner's group since is left alone", () => {
  const { dir, pid, isAlive } = sleeping();
  expect(startedAt(pid)).not.toBe("2");
  const file = { pgid: pid, startedAt: "2", folder: "/work", owner: dead };
  writeFileSync(join(dir, `${pid}.json`), JSON.stringify(file));

  expect([processGroups(dir, processOwner()).reap(), isAlive(), dead.boot]).toEqual([[], true, bootId()]);
});
