import { expect, test } from "vitest";
import { runCli, watchCliProcesses } from "./cli-process.node.ts";

test("P3: who watches hears of the group while it runs, and when it has ended", async () => {
  const heard: string[] = [];
  watchCliProcesses((pid, folder) => {
    process.kill(pid, 0); // it lives
    heard.push(`started in ${folder}`);
    return () => heard.push("ended");
  });

  await runCli({
    program: "cat",
    args: [],
    stdin: "hello\n",
    cwd: "/",
    env: process.env,
    timeoutMs: null,
    idleTimeoutMs: null,
    signal: new AbortController().signal,
    onLine: (line) => heard.push(line),
    onError: () => {},
    onOutput: () => {},
  });

  expect(heard).toEqual(["started in /", "hello", "ended"]);
});
