/** For the tests of tools out of an OpenAPI document: a service that echoes what it got, and misbehaves on request. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { callTool, type Tool } from "../../define-tool.ts";
import { openMemoryWorkspace } from "../../workspace/memory-workspace.ts";
import { createOpenApiTool, type OpenApiToolsOptions } from "../openapi-tools.node.ts";

interface Got {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export const text = { type: "string" };
export const query = (name: string, schema: object, more: object = {}): object => ({
  name,
  in: "query",
  schema,
  ...more,
});

/** The service of one file of tests. */
export function openService() {
  const got: Got[] = [];
  const server = answering(got);
  let origin = "";
  beforeAll(async () => {
    await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => (server.closeAllConnections(), server.close()));
  beforeEach(() => void got.splice(0));

  const spec = (paths: object, more: object = {}): object => ({
    openapi: "3.0.3",
    info: { title: "Pets", version: "1" },
    servers: [{ url: `${origin}/{version}`, variables: { version: { default: "v1" } } }],
    paths,
    ...more,
  });
  const one = (operation: object, options: OpenApiToolsOptions = {}, more: object = {}): Promise<Tool> =>
    createOpenApiTool(spec({ "/pets": { get: { operationId: "op", ...operation } } }, more), "op", options);
  const sent = async (...given: Parameters<typeof one>): Promise<(args: object) => Promise<string>> => {
    const tool = await one(...given);
    return async (args) => {
      await call(tool, args);
      return got.at(-1)?.url ?? "nothing was sent";
    };
  };
  return { got, origin: () => origin, spec, one, sent };
}

export const call = async (tool: Tool | undefined, args: object): Promise<{ ok: boolean; content: string }> => {
  await using workspace = openMemoryWorkspace({});
  const context = {
    workspace,
    signal: new AbortController().signal,
    maxOutputBytes: 1_000_000,
    idempotencyKey: "key-1",
  };
  return callTool(tool ? [tool] : [], { name: tool?.name ?? "", args: JSON.stringify(args) }, context);
};
const answering = (got: Got[]): Server =>
  createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      got.push({ method, url, headers, body });
      const path = new URL(url, "http://x").pathname;
      if (path.endsWith("/slow")) return; // never answers
      if (path.endsWith("/missing")) return void response.writeHead(404).end("no such pet");
      if (path.endsWith("/text"))
        return void response.writeHead(200, { "content-type": "text/plain" }).end("just words");
      if (path.endsWith("/huge")) return void response.writeHead(200).end("x".repeat(200_000));
      if (path.endsWith("/away"))
        return void response.writeHead(302, { location: "http://169.254.169.254/keys" }).end();
      if (path.endsWith("/moved")) return void response.writeHead(301, { location: "/v1/text" }).end();
      if (path.endsWith("/empty")) return void response.writeHead(204).end();
      if (path.endsWith("/broken"))
        return void response.writeHead(200, { "content-type": "application/json" }).end("{oops");
      response
        .writeHead(200, { "content-type": "application/json; charset=utf-8" })
        .end(JSON.stringify({ ok: true, path }));
    });
  });
