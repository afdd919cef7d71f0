import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RunId } from "@smooth/protocol/ids";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serveSite, setTrap, type Site, type Trap } from "./listeners.ts";
import { APPROVE, OVER, RealHost } from "./real-host.ts";
import { makeRepository, type Repository } from "./repository.ts";

/** The tools of a workflow file's task on a host: an agent that tries everything, by files and by commands. What counts is what
 *  it got, and what lies in the folders afterwards. */

const SECRET = "secret-of-the-person";
const flow = (trap: Trap): string => `
import { createSmithers, Sequence, Task, Worktree } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { bash, grep, read, write } from "smithers-orchestrator/tools";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({ said: z.object({ said: z.record(z.string(), z.string()) }) });
const tools = { bash, grep, read, write };
const trying = (tries) => scriptedAgent({
  tools,
  answers: async ({ callTool }) => {
    const said = {};
    for (const [name, [tool, input]] of Object.entries(tries))
      said[name] = await callTool(tool, input).then(String, (error) => "REFUSED " + error.message);
    return { said };
  },
});
const sh = (cmd) => ["bash", { cmd }];
const tries = {
  write: ["write", { path: "notes/a.txt", content: "one\\n" }],
  together: sh("cat notes/a.txt && echo two >> notes/a.txt && pwd"),
  readBack: ["read", { path: "notes/a.txt" }],
  grep: ["grep", { pattern: "two" }],
  script: sh("printf '#!/bin/sh\\\\necho ran\\\\n' > run.sh && chmod +x run.sh && ./run.sh && rm gone.txt"),
  outside: sh("cat ../person/secret.txt; ls ..; id -u"),
  ignored: sh("ls -a; cat .env"),
  tracked: sh("cat keys/*"),
  readEnv: ["read", { path: ".env" }],
  netScript: ["write", { path: "net.sh", content: "exec 3<>/dev/tcp/10.0.2.2/${trap.tcpPort} || curl -sS -m 5 http://127.0.0.1:${trap.tcpPort}" }],
  network: sh("bash net.sh"),
  hookByWords: sh("echo evil > .git/hooks/pre-commit"),
  laterScript: ["write", { path: "later.sh", content: "mkdir -p .git/hooks; for f in .git/hooks/pre-commit flow.tsx .mcp.json; do echo evil >> $f; done; ln -s .git dot" }],
  later: sh("bash later.sh"),
  hookElsewhere: ["write", { path: "checks/pre-commit", content: "evil" }],
  hookByTool: ["write", { path: "dot/hooks/pre-commit", content: "evil" }],
  workflow: ["write", { path: "flow.tsx", content: "evil" }],
  elsewhere: ["write", { path: "../person/new.txt", content: "evil" }],
};
const inTree = { tree: sh("echo tree > tree.txt && ls"), file: ["write", { path: "b.txt", content: "b" }] };
export default smithers(() => (
  <Workflow name="tools">
    <Sequence>
      <Task id="try" output={outputs.said} agent={trying(tries)} noRetry>Try.</Task>
      <Worktree id="wt" path="../tree" branch="try">
        <Task id="tree" output={outputs.said} agent={trying(inTree)} noRetry>Try.</Task>
      </Worktree>
    </Sequence>
  </Workflow>
));
`;

const net = (site: Site): string => `
import { createSmithers, Task } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { bash } from "smithers-orchestrator/tools";
import { z } from "zod";
const { Workflow, smithers, outputs } = createSmithers({ output: z.object({ said: z.record(z.string(), z.string()) }) });
const visitor = scriptedAgent({
  tools: { bash },
  answers: async ({ callTool }) => ({
    said: {
      guide: String(await callTool("bash", { cmd: "curl -sS -m 200 ${site.origin}/guide" })),
      evil: String(await callTool("bash", { cmd: "curl -sS -m 200 http://evil.example.net/" })),
    },
  }),
});
export default smithers(() => (
  <Workflow name="net"><Task id="visit" output={outputs.output} agent={visitor} noRetry>Look.</Task></Workflow>
));
`;

describe.each([
  { driver: "qemu", visits: [] },
  { driver: "bubblewrap", visits: ["/guide"] }, // the way out is the same whoever provides the walls; once is enough
])("$driver", ({ driver, visits }) => {
  let host: RealHost;
  let trap: Trap;
  let site: Site;
  let repo: Repository;
  let runId: RunId;
  let said: Readonly<Record<string, string>>;

  beforeAll(async () => {
    trap = await setTrap();
    site = await serveSite();
    host = new RealHost({ SMOOTH_SANDBOX: driver, ...site.resolve });
    mkdirSync(join(host.dir, "person"));
    writeFileSync(join(host.dir, "person/secret.txt"), SECRET);
    repo = makeRepository(join(host.dir, "work"), {
      ".gitignore": ".env\n",
      "gone.txt": "gone\n",
      "flow.tsx": flow(trap),
      "net.tsx": net(site),
      "keys/server.pem": SECRET,
      "keys/about.txt": "public\n",
    });
    writeFileSync(join(repo.path, ".env"), SECRET);
    repo.git("config", "core.hooksPath", "checks");
    await host.start();
    const file = join(repo.path, "flow.tsx");
    runId = (await host.client.call("launchRun", { workflow: file })).runId;
    await host.eventsUntil(runId, (event) => event.type === "run.status" && OVER.has(event.status));
    said = await saidBy("try");
  });
  afterAll(async () => {
    await host?.[Symbol.asyncDispose]();
    await Promise.all([trap, site].map((each) => each?.[Symbol.asyncDispose]()));
  });

  const saidBy = async (nodeId: string): Promise<Readonly<Record<string, string>>> =>
    ((await host.client.call("getNodeOutput", { runId, nodeId })).output as { said: Record<string, string> }).said;
  const lies = (path: string): string => readFileSync(join(repo.path, path), "utf8");

  test("files and commands see each other's work, and the folder holds it", () => {
    expect(said).toMatchObject({
      write: "ok",
      together: `one\n${driver === "qemu" ? repo.path : "/workspace"}\n`,
      readBack: "one\ntwo\n",
      grep: expect.stringContaining("notes/a.txt:2:two") as string,
      script: "ran\n",
    });
    expect(lies("notes/a.txt")).toBe("one\ntwo\n");
    expect(lies("run.sh")).toContain("echo ran");
    expect(existsSync(join(repo.path, "gone.txt"))).toBe(false);
  });

  test("a command reads nothing outside the folder, nothing the repository ignores, and reaches no network", () => {
    expect(Object.values(said).filter((text) => text.includes(SECRET))).toEqual([]);
    expect(said["outside"]).toContain("No such file or directory");
    expect(said["tracked"]).toBe("public\n");
    expect(said["readEnv"]).toMatch(/^REFUSED .*filesystem\.deny/s);
    expect(said["network"]).toMatch(/^REFUSED exit code [^]*(?:reset|refused|unreachable|Empty reply)/i);
    expect(trap.caught).toEqual([]);
  });

  test("what this machine would run later is not written: hooks, the workflow itself, nothing outside", () => {
    expect(said["later"]).toMatch(
      /^\n\[not kept: .*\.mcp\.json: a person has to agree.*flow\.tsx: this run is made of/,
    );
    for (const name of ["hookByWords", "hookElsewhere", "hookByTool", "workflow", "elsewhere"])
      expect(said[name]).toMatch(/^REFUSED /);
    expect(existsSync(join(repo.path, ".git/hooks/pre-commit"))).toBe(false);
    expect(existsSync(join(repo.path, ".mcp.json"))).toBe(false);
    expect(lies("flow.tsx")).toBe(flow(trap));
    expect(existsSync(join(host.dir, "person/new.txt"))).toBe(false);
  });

  test("in a worktree the tools work on the worktree", async () => {
    expect((await saidBy("tree"))["tree"]).toContain("tree.txt");
    expect(readFileSync(join(repo.path, "../tree/b.txt"), "utf8")).toBe("b");
    expect(readFileSync(join(repo.path, "../tree/tree.txt"), "utf8")).toBe("tree\n");
    expect(existsSync(join(repo.path, "tree.txt"))).toBe(false);
  });

  test.each(visits)(
    "with allowNetwork a person is asked, and what they approve is reached; what they do not, is not",
    async (visit) => {
      const file = join(repo.path, "net.tsx");
      const { runId: asking } = await host.client.call("launchRun", {
        workflow: file,
        settings: { allowNetwork: true },
      });
      await host.decideAsks(asking, ({ subject }) =>
        subject.kind === "network" && subject.host === "docs.example.com" ? APPROVE : { verdict: "deny" },
      );

      const { output } = await host.client.call("getRunOutput", { runId: asking });
      expect(output).toEqual({
        said: { guide: "you asked for /guide\n", evil: expect.stringContaining("denied") as string },
      });
      expect(site.visits).toEqual([visit]);
    },
  );

  test("gc takes a run's worktree and its names for files along and leaves its branch", async () => {
    const names = () => repo.git("for-each-ref", "refs/smooth");
    expect(names()).not.toBe("");

    await host.client.call("collectGarbage", { olderThanMs: 0 });

    expect(existsSync(join(repo.path, "../tree"))).toBe(false);
    expect([repo.git("branch", "--list", "try"), names()]).toEqual([expect.stringContaining("try"), ""]);
  });
});
