import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "@playwright/test";
import { expect, onTestFinished, test } from "vitest";
import { serveTestGateway } from "../testing/test-gateway.ts";
import { sessionLink } from "./sessions.ts";

const executablePath = "/usr/bin/chromium";

/** The page a person lands on after signing in: asks who they are with nothing but the cookie. */
const PAGE = `<!doctype html><p id="who"></p><script src="/assets/page.js"></script>`;
const SCRIPT = `fetch("/v1/rpc/whoAmI", { method: "POST", headers: { "content-type": "application/json" }, body: "{}" })
  .then((answer) => answer.json()).then((who) => (document.getElementById("who").textContent = JSON.stringify(who) + document.cookie));`;

test.skipIf(!existsSync(executablePath))(
  "I2: a link signs in a real browser on http://<slug>.th.localhost with a __Host- cookie, once",
  async () => {
    const uiDir = mkdtempSync(join(tmpdir(), "gateway-browser-"));
    onTestFinished(() => rmSync(uiDir, { recursive: true }));
    mkdirSync(join(uiDir, "assets"));
    writeFileSync(join(uiDir, "index.html"), PAGE);
    writeFileSync(join(uiDir, "assets", "page.js"), SCRIPT);
    const origins: string[] = [];
    await using host = await serveTestGateway({}, { uiDir, publicOrigins: () => origins });
    const origin = `http://scratch-1.th.localhost:${new URL(host.gateway.tunnelUrl).port}`;
    origins.push(origin);
    const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
    onTestFinished(() => browser.close());

    for (const [site, cookieName, via] of [
      [origin, "__Host-smooth", "tunnel"],
      [host.url, "smooth", "local"],
    ] as const) {
      const { secret } = host.sessions.createLink({ role: "approver", ttlMs: 60_000, by: "ada" });
      const context = await browser.newContext();
      const page = await context.newPage();
      await page.goto(sessionLink(site, secret));
      await page.waitForURL(`${site}/`);

      await expect.poll(() => page.textContent("#who")).toMatch(new RegExp(`"role":"approver","via":"${via}"}$`));
      expect(await context.cookies()).toMatchObject([{ name: cookieName, httpOnly: true, sameSite: "Strict" }]);

      const second = await (await browser.newContext()).newPage();
      await second.goto(sessionLink(site, secret));
      await expect.poll(() => second.textContent("#say")).toContain("used already or has expired");
      expect(second.url()).not.toContain(secret);
    }
  },
);
