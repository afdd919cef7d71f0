import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { rawRequest } from "../testing/raw-http.ts";
import { serveTestGateway } from "../testing/test-gateway.ts";

function builtUi(): string {
  const folder = mkdtempSync(join(tmpdir(), "gateway-ui-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "ui", "assets"), { recursive: true });
  writeFileSync(join(folder, "secret.txt"), "outside");
  writeFileSync(join(folder, "ui", "index.html"), "<h1>live session</h1>");
  writeFileSync(join(folder, "ui", "assets", "app-1f2e.js"), "1");
  return join(folder, "ui");
}

test("U1: pages are served to anyone, never cached, and run only this host's scripts", async () => {
  await using host = await serveTestGateway({}, { uiDir: builtUi() });
  for (const path of ["/", "/index.html", "/runs/run-1234567"]) {
    const { status, headers, text } = await rawRequest(host.url + path);
    expect({ path, status, text, cache: headers["cache-control"] }).toEqual({
      path,
      status: 200,
      text: "<h1>live session</h1>",
      cache: "no-store",
    });
    const policy = String(headers["content-security-policy"]);
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain("unsafe-eval");
  }
  const asset = await rawRequest(`${host.url}/assets/app-1f2e.js`);
  expect(asset.headers).toMatchObject({
    "cache-control": "public, max-age=31536000, immutable",
    "content-type": expect.stringContaining("javascript") as string,
  });
});

test("files outside the folder, missing files, and paths of the API are not pages", async () => {
  await using host = await serveTestGateway({}, { uiDir: builtUi() });
  for (const path of ["/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/assets/none.js", "//etc/passwd"]) {
    const { text } = await rawRequest(host.url + path);
    expect({ path, leaked: text.includes("outside") || text.includes("root:") }).toEqual({ path, leaked: false });
  }
  expect((await rawRequest(`${host.url}/assets/none.js`)).status).toBe(404);
  expect((await rawRequest(`${host.url}/v1/nothing`)).status).toBe(401);
});

test("without a built UI the host still answers, and says what is missing", async () => {
  await using host = await serveTestGateway({});
  const { status, json } = await rawRequest(`${host.url}/`);
  expect({ status, body: json() }).toMatchObject({ status: 404, body: { error: { code: "NOT_FOUND" } } });
});
