import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { actionText } from "@smooth/protocol/ask-text";
import type { RunId } from "@smooth/protocol/ids";
import { afterAll, beforeAll, expect, test } from "vitest";
import { setTrap, type Trap } from "./listeners.ts";
import { APPROVE, OVER, RealHost } from "./real-host.ts";
import { makeRepository, type Repository } from "./repository.ts";

/** A <Sandbox> of a workflow file on a host: it runs in one of the host's VMs, and what it changed is decided about as an ask. */

const SECRET = "secret-of-the-person";
const flow = (trap: Trap): string => `
import { createSmithers, Sandbox, Task } from "smithers-orchestrator";
import { readdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { lookup } from "node:dns/promises";
import { hostname } from "node:os";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  seen: z.object({ files: z.array(z.string()), tcp: z.string(), dns: z.string(), hostname: z.string() }),
});
const tcp = (host) => new Promise((resolve) => {
  const socket = connect(${trap.tcpPort}, host, () => resolve("connected"));
  socket.on("error", (error) => resolve(error.code));
  socket.setTimeout(2000, () => resolve("silence"));
});

export default smithers(() => (
  <Workflow name="flow">
    <Sandbox id="box" output={outputs.seen}>
      <Task id="look" output={outputs.seen}>
        {async () => {
          const files = readdirSync(".").sort();
          writeFileSync("made.txt", "by the sandbox\\n");
          const dns = await lookup("example.com").then(() => "found", (error) => error.code);
          return { files, tcp: await tcp("10.0.2.2"), dns, hostname: hostname() };
        }}
      </Task>
    </Sandbox>
  </Workflow>
));
`;

let host: RealHost;
let trap: Trap;
let repo: Repository;
let runId: RunId;

beforeAll(async () => {
  trap = await setTrap();
  host = new RealHost({});
  repo = makeRepository(join(host.dir, "work"), { ".gitignore": ".env\n", "flow.tsx": flow(trap) });
  writeFileSync(join(repo.path, ".env"), SECRET);
  await host.start();
  runId = (await host.client.call("launchRun", { workflow: join(repo.path, "flow.tsx") })).runId;
});
afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
  await trap?.[Symbol.asyncDispose]();
});

test("it runs in a VM without a way out, its files wait for an ask, and are written when somebody agrees", async () => {
  const made = join(repo.path, "made.txt");
  const before: boolean[] = [];
  const deciding = host.decideAsks(runId, (ask) => {
    before.push(existsSync(made));
    expect(ask.question).toContain("Write 1 changed file of sandbox box (microvm, ");
    expect(actionText(ask.subject)).toContain("+by the sandbox");
    return APPROVE;
  });
  const events = await host.eventsUntil(runId, (event) => event.type === "run.status" && OVER.has(event.status));
  await deciding;

  expect(events.at(-1)).toMatchObject({ type: "run.status", status: "finished" });
  expect(before).toEqual([false]);
  expect(readFileSync(made, "utf8")).toBe("by the sandbox\n");
  const notes = events.flatMap((event) => (event.type === "note" ? [event.text] : []));
  expect(notes.join("\n")).toContain("+by the sandbox");
  const { output } = await host.client.call("getNodeOutput", { runId, nodeId: "box" });
  expect(output).toMatchObject({ files: [".gitignore", ".smithers", "flow.tsx"], dns: expect.any(String) as string });
  expect(output).not.toMatchObject({ tcp: "connected" });
  expect(output).not.toMatchObject({ dns: "found" });
  expect(trap.caught).toEqual([]);
});
