/** Sandboxes in real processes: hosts that are killed in the middle of a step, and walls that hold. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { systemClock } from "@smooth/platform/node/system";
import { bubblewrapDriver } from "@smooth/vm/bubblewrap";
import { sharedKernelOptions } from "@smooth/vm/testing/shared-kernel";
import { expect, onTestFinished, test } from "vitest";
import { h } from "../jsx-runtime.ts";
import { outputs, Sandbox, smithers, Workflow } from "../testing/rules.ts";
import { testEngine } from "../testing/run-in-memory.ts";
import { openSandboxes } from "./sandboxes.node.ts";

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), "sandbox-machine-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

const CHILD = join(import.meta.dirname, "../testing/sandbox-crash-child.ts");

test.each([
  ["while the sandbox runs", "running", { ran: [1, 2], attempts: [1, 2, 3] }],
  ["while a person is asked", "waiting", { ran: [1], attempts: [1, 2] }],
  ["when somebody has agreed, before a file is written", "recorded", { ran: [1], attempts: [1, 2, 3] }],
  ["when the files are written, before the row is", "written", { ran: [1], attempts: [1, 2, 3] }],
])(
  "Q1, Q2: a host killed %s: files and row agree in the end, and what is recorded never runs again",
  (_, point, ends) => {
    const folder = scratch();
    const root = join(folder, "root");
    mkdirSync(root);
    for (const name of ["a.txt", "b.txt"]) writeFileSync(join(root, name), "old\n");
    const run = (crashAt: string) => spawnSync(process.execPath, [CHILD, folder, crashAt], { encoding: "utf8" });
    expect(run(point).signal).toBe("SIGKILL");
    const { stdout, stderr } = run("never");
    expect(stderr).toBe("");

    expect(JSON.parse(stdout)).toEqual({ status: "finished", attempts: ends.attempts, asked: 1 });
    expect([readFileSync(join(root, "a.txt"), "utf8"), existsSync(join(root, "b.txt"))]).toEqual(["new\n", false]);
    const ran = readFileSync(join(folder, "runs"), "utf8").trim().split("\n").length;
    expect(ends.ran).toContain(ran);
  },
);

/** One sandbox with this command, in namespaces. */
async function inNamespaces(command: string, props: object = {}) {
  const root = scratch();
  const drivers = { bubblewrap: bubblewrapDriver(sharedKernelOptions()) };
  const sandboxes = openSandboxes({ rootDir: root, drivers, clock: systemClock, minIsolation: "namespace" });
  const workflow = smithers(() =>
    h(Workflow, { name: "boxed" }, h(Sandbox, { id: "box", output: outputs.text, command, retries: 0, ...props })),
  );
  const engine = testEngine();
  const handle = await engine.start(workflow, { sandboxes, clock: systemClock });
  return { ...engine, handle, root };
}
const node = (script: string): string => `node -e '${script}'`;
const ANSWER =
  'require("fs").writeFileSync(process.env.SMOOTH_BUNDLE,JSON.stringify({status:"finished",output:{text}}));process.exit(0)';

test("without allowNetwork no TCP, no UDP and no DNS gets out", async () => {
  const caught: string[] = [];
  const tcp = createServer(() => caught.push("tcp")).listen(0, "0.0.0.0");
  const udp = createSocket("udp4", () => caught.push("udp")).bind(0, "0.0.0.0");
  await Promise.all([once(tcp, "listening"), once(udp, "listening")]);
  onTestFinished(() => {
    tcp.close();
    udp.close();
  });
  const [tcpPort, udpPort] = [(tcp.address() as AddressInfo).port, udp.address().port];
  const script = `
    const say=[]; const done=(what)=>{ say.push(what); if(say.length===3){ const text=say.sort().join(" "); ${ANSWER}; } };
    require("net").connect(${tcpPort},"127.0.0.1",()=>done("tcp out")).on("error",()=>done("tcp shut"));
    require("dgram").createSocket("udp4").send("x",${udpPort},"127.0.0.1",()=>done("udp shut"));
    require("dns").lookup("example.com",(error)=>done(error?"dns shut":"dns out"));`;
  const { handle, store, events } = await inNamespaces(node(script));

  expect(await handle.result).toMatchObject({ status: "finished" });
  const [row] = await store.outputs(handle.runId, outputsOf("text"));
  expect(row?.cells[0]).toBe("dns shut tcp shut udp shut");
  expect(caught).toEqual([]);
  expect(events).toContainEqual(expect.objectContaining({ type: "sandbox.created", level: "namespace" }));
});

const outputsOf = (name: string) => smithers(() => h(Workflow, { name: "none" })).registry.find(name);

test("what is no file, folder or link refuses the bundle by its path", async () => {
  const text = 'const text="x";';
  const fifo = `require("child_process").execFileSync("mkfifo",["pipe"]);require("fs").writeFileSync("fine.txt","x")`;
  const { handle, root } = await inNamespaces(node(`${text}${fifo};${ANSWER}`), { autoAcceptDiffs: true });

  expect(await handle.result).toMatchObject({
    status: "failed",
    error: { code: "SANDBOX_BUNDLE_INVALID", message: expect.stringContaining("pipe: not a file") },
  });
  expect(existsSync(join(root, "fine.txt"))).toBe(false);
});

function commandLines(): string[] {
  return readdirSync("/proc").flatMap((pid) => {
    try {
      return /^\d+$/.test(pid) ? readFileSync(`/proc/${pid}/cmdline`, "utf8") : [];
    } catch {
      return []; // it is gone
    }
  });
}

test("cancelled, nothing of a sandbox is left", async () => {
  const mark = `3${process.pid}.25`;
  const alive = (): boolean => commandLines().some((line) => line === `sleep\0${mark}\0`);
  const { handle } = await inNamespaces(`sleep ${mark}`);
  await expect.poll(alive).toBe(true);
  handle.cancel();

  expect((await handle.result).status).toBe("cancelled");
  await expect.poll(alive).toBe(false);
});

test("a share of a CPU is kept, and read-only volumes are there", async () => {
  const volume = scratch();
  writeFileSync(join(volume, "given.txt"), "given");
  const spin = `const from=process.cpuUsage();const until=Date.now()+1500;while(Date.now()<until);const {user,system}=process.cpuUsage(from);`;
  const text = `${spin}const text=require("fs").readFileSync("/tmp/given/given.txt","utf8")+" "+((user+system)/1e6<1.1);${ANSWER}`;
  const volumes = [{ host: volume, container: "/tmp/given", readonly: true }];
  const { handle, store } = await inNamespaces(node(text), { cpuLimit: "0.25", volumes });

  expect(await handle.result).toMatchObject({ status: "finished" });
  const [row] = await store.outputs(handle.runId, outputsOf("text"));
  expect(row?.cells[0]).toBe("given true");
});
