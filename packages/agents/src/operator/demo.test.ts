import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { ChatMessage, OperatorInput } from "@smooth/protocol/operator";
import { OperatorOutput } from "@smooth/protocol/operator";
import type { ApiFormat } from "@smooth/protocol/providers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { demoFix } from "../scripted/demo-fix.ts";
import { demoSpec, seedSampleRepo } from "../scripted/demo-repo.node.ts";
import type { Fault } from "../scripted/faults.ts";
import { startScriptedServer } from "../scripted/server.node.ts";
import { buildOperator } from "./bundle.node.ts";
import { ROLES } from "./roles.ts";

/** The bundled program as a process, real tools, the scripted model over real HTTP through a real forward proxy. */

let base = "";
let program = "";
let sizeBytes = 0;
beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "operator-"));
  program = join(base, "operator.mjs");
  ({ sizeBytes } = await buildOperator(program));
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

const SPEC_URL = "http://docs.example.com/duration-format.md";

/** Goalie's stand-in: absolute-form requests, model.th.internal to the scripted server, docs.example.com if open. */
async function startProxy(modelPort: number, docs: "open" | "closed") {
  const spec = await demoSpec();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "");
    if (url.hostname === "docs.example.com")
      return void response
        .writeHead(docs === "open" ? 200 : 403)
        .end(docs === "open" ? spec : "docs.example.com: denied by rule x");
    if (url.hostname !== "model.th.internal") return void response.writeHead(403).end();
    const onward = fetch(`http://127.0.0.1:${modelPort}${url.pathname}`, {
      method: "POST",
      body: request as unknown as ReadableStream,
      duplex: "half",
      headers: Object.fromEntries(
        ["authorization", "x-api-key", "anthropic-version"].flatMap((name) => {
          const value = request.headers[name];
          return typeof value === "string" ? [[name, value]] : [];
        }),
      ),
    } as RequestInit);
    void onward
      .then(async (answer) => {
        response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" });
        for await (const chunk of answer.body ?? []) response.write(chunk);
        response.end();
      })
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Setting {
  readonly repo: string;
  readonly docs: "open" | "closed";
  readonly faults?: readonly Fault[];
  readonly formats?: readonly ApiFormat[];
  readonly conversation?: readonly ChatMessage[];
  /** The host's kill: gets every output, says whether to SIGKILL now. */
  readonly killAt?: (output: OperatorOutput) => boolean;
}

async function operate({
  repo,
  docs,
  faults = [],
  formats = ["OpenAiCompat"],
  conversation,
  killAt = () => false,
}: Setting) {
  await using model = await startScriptedServer({ persona: demoFix({ specUrl: SPEC_URL }), faults });
  await using proxy = await startProxy(model.port, docs);
  const child = spawn(process.execPath, [program], {
    env: { PATH: process.env["PATH"], HOME: base, HTTP_PROXY: proxy.url, http_proxy: proxy.url },
    stdio: ["pipe", "pipe", "ignore"],
  });
  child.stdin.on("error", () => undefined); // what is sent to one that was killed
  const send = (input: OperatorInput): void => void child.stdin.write(`${JSON.stringify(input)}\n`);
  child.stdin.write("this is not JSON\n{}\n");
  send({
    type: "start",
    role: { ...ROLES.fixer, tools: [...ROLES.fixer.tools] },
    workspace: repo,
    modelUrl: "http://model.th.internal/v1",
    modelFormats: [...formats],
    modelToken: "placeholder",
    conversation: [...(conversation ?? [{ role: "user", content: "Fix the failing duration test." }])],
    maxModelCalls: 30,
  });
  const outputs: OperatorOutput[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const output = OperatorOutput.parse(JSON.parse(line));
    outputs.push(output);
    if (killAt(output)) child.kill("SIGKILL");
    if (output.type === "tool.request")
      send({ type: "tool.verdict", callId: output.call.id, verdict: { kind: "run" } });
    if (output.type === "tool.output") send({ type: "tool.result", callId: output.callId, content: output.content });
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  const ran = outputs.flatMap((output) => (output.type === "tool.request" ? [output.call] : []));
  return { outputs, ran, requests: model.requests };
}

async function sample(): Promise<string> {
  const repo = join(mkdtempSync(join(base, "repo-")), "sample");
  await seedSampleRepo(repo);
  return repo;
}

test("the bundle stays small enough to start inside an emulated machine", () => {
  expect(sizeBytes).toBeLessThan(150_000);
});

const DIALECTS = [
  ["OpenAiCompat", "/v1/chat/completions", "Bearer placeholder"],
  ["Anthropic", "/v1/messages", "x-api-key placeholder"],
  ["Responses", "/v1/responses", "Bearer placeholder"],
] as const;

test.each(DIALECTS)(
  "%s: fixes the sample repository by tool calls and proves it by a green run",
  async (...dialect) => {
    const [format, path, key] = dialect;
    const repo = await sample();

    const { outputs, ran, requests } = await operate({ repo, docs: "open", formats: [format] });

    expect(ran.map(({ name }) => name)).toEqual(["list", "read", "read", "bash", "bash", "edit", "bash"]);
    expect(outputs.at(-1)).toMatchObject({
      type: "completed",
      reason: "done",
      text: expect.stringMatching(/^DEMO: Fixed.*learnt from the documentation site/),
    });
    expect(readFileSync(join(repo, "src/duration.mjs"), "utf8")).toContain("Math.round(ms / 1000)");
    expect(outputs.some(({ type }) => type === "delta")).toBe(true);
    expect(outputs.find(({ type }) => type === "usage")).toMatchObject({ model: "DEMO-scripted" });
    expect(new Set(requests.map((request) => `${request.path} ${request.key}`))).toEqual(new Set([`${path} ${key}`]));
  },
);

test.each(DIALECTS)("%s: copes with a denied address, rate limits, a cut stream, garbage arguments", async (format) => {
  const repo = await sample();
  const faults: Fault[] = [
    { atTurn: 0, times: 1, what: { kind: "status", status: 429, retryAfterSeconds: 0 } },
    { atTurn: 1, times: 1, what: { kind: "cut", afterChunks: 4 } },
    { atTurn: 2, times: 1, what: { kind: "garbage-args" } },
  ];

  const { outputs, ran } = await operate({ repo, docs: "closed", formats: [format], faults });

  expect(ran.map(({ name }) => name)).toEqual(["list", "read", "read", "bash", "bash", "bash", "read", "edit", "bash"]);
  expect(outputs.at(-1)).toMatchObject({ type: "completed", text: expect.stringMatching(/^DEMO: Fixed.*README/) });
});

test("killed after a tool call, another process continues from the checkpoint and repeats none", async () => {
  const repo = await sample();
  const first = await operate({
    repo,
    docs: "open",
    killAt: (output) =>
      output.type === "checkpoint" && output.conversation.at(-1)?.role === "tool" && output.conversation.length > 5,
  });
  const kept = first.outputs.findLast((output) => output.type === "checkpoint");

  const second = await operate({
    repo,
    docs: "open",
    formats: ["Anthropic"],
    conversation: kept?.type === "checkpoint" ? kept.conversation : [],
  });

  const done = first.outputs.flatMap((output) =>
    output.type === "checkpoint" && output.afterCallId ? [output.afterCallId] : [],
  );
  expect(first.outputs.at(-1)?.type).not.toBe("completed");
  expect(second.ran.some(({ id }) => done.includes(id))).toBe(false);
  expect([...done, ...second.ran.map(({ id }) => id)]).toHaveLength(7);
  expect(second.outputs.at(-1)).toMatchObject({ type: "completed", text: expect.stringContaining("Fixed") });
});
