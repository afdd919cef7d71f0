import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { asking } from "../testing/ask.ts";
import { cliAgent, type CliAgentOptions } from "./cli-agent.node.ts";
import type { CliEvent, CliKind } from "./cli-kind.ts";

/** What every command-line agent must do, seen on a real process that prints what the real program would.
 *  `print` is how that program tells an event on stdout, line by line. */
export interface CliContract {
  readonly kind: CliKind;
  readonly print: (event: CliEvent) => string;
}

export function cliAgentContract({ kind, print }: CliContract): void {
  const folders: string[] = [];
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  /** A program of the kind's name, first on PATH, that notes how it was called and then does `script`. */
  function fake(script: string, options: CliAgentOptions = {}) {
    const folder = mkdtempSync(join(tmpdir(), "cli-"));
    folders.push(folder);
    const noted = join(folder, "calls.jsonl");
    writeFileSync(
      join(folder, kind.program),
      `#!${process.execPath}
const { appendFileSync, readFileSync } = require("node:fs");
const stdin = readFileSync(0, "utf8");
appendFileSync(${JSON.stringify(noted)}, JSON.stringify({ argv: process.argv.slice(2), stdin, cwd: process.cwd(), env: process.env, pid: process.pid }) + "\\n");
const say = (...lines) => process.stdout.write(lines.map((line) => line + "\\n").join(""));
${script}
`,
    );
    chmodSync(join(folder, kind.program), 0o755);
    const env = { PATH: `${folder}:${process.env["PATH"] ?? ""}`, ...options.env };
    return {
      folder,
      agent: cliAgent(kind, { ...options, env }),
      calls: () =>
        readFileSync(noted, "utf8")
          .trimEnd()
          .split("\n")
          .map(
            (line) =>
              JSON.parse(line) as {
                argv: string[];
                stdin: string;
                cwd: string;
                env: Record<string, string>;
                pid: number;
              },
          ),
    };
  }
  const says = (...events: CliEvent[]): string =>
    `say(${events.map((event) => JSON.stringify(print(event))).join(", ")});`;
  const session: CliEvent = { kind: "session", id: "s-1" };
  const hi: CliEvent = { kind: "answer", text: '{"text":"hi"}' };

  describe(`${kind.name} as an agent`, () => {
    test("prompt, system prompt, model, extra arguments, environment and folder reach the program", async () => {
      const folder = mkdtempSync(join(tmpdir(), "cwd-"));
      folders.push(folder);
      const { agent, calls } = fake(says(hi), {
        model: "big",
        systemPrompt: "be brief",
        cwd: folder,
        env: { MARK: "x" },
        extraArgs: ["--extra"],
      });

      await agent.generate(asking({ prompt: '  say\n"it" ü\n' }).args);

      const [call] = calls();
      const told = [...(call?.argv ?? []), call?.stdin].join("\u0000");
      for (const part of ['  say\n"it" ü\n', "be brief", "big", "--extra"]) expect(told).toContain(part);
      expect(call).toMatchObject({ cwd: folder, env: { MARK: "x" } });
    });

    test("the answer, its tokens, its words, its session, and proof of life", async () => {
      const { agent } = fake(says(session, { kind: "usage", usage: { inputTokens: 3, outputTokens: 4 } }, hi));
      const { args, usage, beats, words, sessions } = asking();

      expect(await agent.generate(args)).toMatchObject({ text: '{"text":"hi"}' });
      expect(usage).toMatchObject([{ inputTokens: 3, outputTokens: 4 }]);
      expect(sessions).toEqual([{ cliSession: "s-1" }]);
      expect(beats.length).toBeGreaterThan(0);
      expect(words).toEqual(['{"text":"hi"}']);
    });

    test("C1: a correction, and an attempt whose engine died, go on in the session; after a failure a new one begins", async () => {
      const { agent, calls } = fake(
        `${says(session)} if (stdin.includes("fail") || process.argv.join().includes("fail")) process.exit(3); ${says(hi)}`,
      );
      const first = (await agent.generate(asking().args)) as { responseMessages: unknown[] };
      const conversation = [{ role: "assistant" as const, content: "hm", native: first.responseMessages }];
      await agent.generate(asking({ conversation, prompt: "again" }).args);
      await agent.generate(asking({ session: { cliSession: "s-0" } }).args);
      const { args, sessions: left } = asking({ prompt: "fail" });
      await expect(agent.generate(args)).rejects.toThrow("3");
      await agent.generate(asking({ session: left.at(-1) ?? null }).args);

      const sessions = calls().map(({ argv, stdin }) => /s-[01]/.exec([...argv, stdin].join(" "))?.[0] ?? null);
      expect(sessions).toEqual([null, "s-1", "s-0", null, null]);
    });

    test("C3: abort ends the program and what it started, also when it does not listen; its session stays", async () => {
      const { agent, calls } = fake(
        `process.on("SIGTERM", () => {}); const { spawn } = require("node:child_process");
         spawn(process.execPath, ["-e", "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)"], { stdio: "ignore" });
         ${says(session)} setInterval(() => {}, 1000);`,
      );
      const stop = new AbortController();
      const started = Promise.withResolvers<void>();
      const { args, sessions } = asking({ signal: stop.signal, heartbeat: () => started.resolve() });
      const answer = agent.generate(args);
      answer.catch(() => {});
      await started.promise;

      stop.abort(new Error("enough"));

      await expect(answer).rejects.toThrow("enough");
      expect(sessions).toEqual([{ cliSession: "s-1" }]);
      const group = calls()[0]?.pid ?? 0;
      await vanished(group);
    });

    test("C3: what the program leaves behind ends with it", async () => {
      const { agent, calls } = fake(
        `require("node:child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "inherit" }).unref();
         ${says(hi)} process.exit(0);`,
      );

      expect(await agent.generate(asking().args)).toMatchObject({ text: '{"text":"hi"}' });
      await vanished(calls()[0]?.pid ?? 0);
    });

    test("C3: too long, and too silent", async () => {
      const silent = fake("setInterval(() => {}, 1000);", { idleTimeoutMs: 150 });
      const endless = fake(`setInterval(() => { ${says({ kind: "text", text: "." })} }, 20);`, {
        timeoutMs: 400,
        idleTimeoutMs: 60_000,
      });

      await expect(silent.agent.generate(asking().args)).rejects.toMatchObject({
        code: "TASK_TIMEOUT",
        message: expect.stringContaining("silent") as string,
      });
      await expect(endless.agent.generate(asking().args)).rejects.toMatchObject({
        code: "TASK_TIMEOUT",
        message: expect.stringContaining("longer") as string,
      });
    });

    test("a bad end is an error with its last words; no program at all is AGENT_CONFIG_INVALID", async () => {
      const { agent } = fake('process.stderr.write("x".repeat(50_000) + "disk is full\\n"); process.exitCode = 7;');
      const missing = cliAgent({ ...kind, program: "no-such-program-here" });

      await expect(agent.generate(asking().args)).rejects.toThrow(/ended with 7: x{1,10000}disk is full$/);
      await expect(missing.generate(asking().args)).rejects.toMatchObject({ code: "AGENT_CONFIG_INVALID" });
    });

    test("what the program itself says about its failure", async () => {
      const config = fake(says({ kind: "failed", why: "config", message: "not logged in" }));
      const quota = fake(says({ kind: "quota", message: "limit reached", retryAfterMs: 60_000 }));

      await expect(config.agent.generate(asking().args)).rejects.toMatchObject({ code: "AGENT_CONFIG_INVALID" });
      await expect(quota.agent.generate(asking().args)).rejects.toMatchObject({
        code: "RATE_LIMITED",
        details: { retryAfterMs: 60_000 },
      });
    });

    test("garbage: bytes that are no text, lines nobody knows, an answer that is too long", async () => {
      const { agent } = fake(
        `process.stdout.write(Buffer.from([0xff, 0xfe, 0x80, 10])); say("nobody knows this");
         ${says({ kind: "answer", text: "y".repeat(5_000) })}`,
        { maxOutputBytes: 1_000 },
      );

      const { text } = (await agent.generate(asking().args)) as { text: string };

      expect(text).toHaveLength(1_000);
    });

    test("a person can take the session over", () => {
      const [program, ...args] = cliAgent(kind).takeOver("s-9");

      expect(program).toBe(kind.program);
      expect(args.join(" ")).toContain("s-9");
    });
  });
}

/** Until no process of the group is left. */
async function vanished(group: number): Promise<void> {
  while (isAlive(group)) await sleep(20);
}

function isAlive(group: number): boolean {
  try {
    return process.kill(-group, 0);
  } catch {
    return false;
  }
}
