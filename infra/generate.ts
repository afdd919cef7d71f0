/** Writes what is derived from the contracts: docs/openapi.json, docs/rpc.md, docs/errors.md, docs/smithers.md. `--check` only compares. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VERBS } from "@smooth/cli/smithers/commands";
import { openApi } from "@smooth/gateway/openapi";
import { ERRORS } from "@smooth/protocol/errors";
import { GATEWAY } from "@smooth/protocol/gateway";
import { z } from "zod";

const root = join(import.meta.dirname, "..");
const version = (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string }).version;

const FILES: Readonly<Record<string, string>> = {
  "docs/openapi.json": `${JSON.stringify(openApi(version), null, 2)}\n`,
  "docs/rpc.md": rpcPage(),
  "docs/errors.md": errorsPage(),
  "docs/smithers.md": smithersPage(),
};

function smithersPage(): string {
  const sections = VERBS.map(({ usage, method, about, options = [] }) => {
    const flags = options.map(
      ([name, meaning, fallback]) =>
        `- \`${name}\`: ${meaning}${fallback === undefined ? "" : ` (default \`${fallback}\`)`}`,
    );
    const calls = method === undefined ? "" : ` Calls \`${method}\`.`;
    return [
      `### smithers ${usage}`,
      "",
      `${about ?? (method ? GATEWAY[method].about : "")}${calls}`,
      "",
      ...flags,
    ].join("\n");
  });
  return [
    "# smithers, verb by verb",
    "",
    "Generated from `packages/cli/src/smithers/commands.ts` and the gateway's table. [cli.md](cli.md) tells how to use it.",
    "",
    sections.map((section) => section.trimEnd()).join("\n\n"),
    "",
  ].join("\n");
}

function rpcPage(): string {
  const rows = Object.entries(GATEWAY).map(
    ([name, { scope, stream, about }]) => `| \`${name}\` | \`${scope}\` | ${stream ? "stream" : "call"} | ${about} |`,
  );
  const inputs = Object.entries(GATEWAY).map(([name, { input, errors }]) => {
    const schema = JSON.stringify(z.toJSONSchema(input, { io: "input", unrepresentable: "any" }).properties ?? {});
    return `### ${name}\n\nInput: \`${schema}\`\n\nErrors: ${errors.length === 0 ? "none of its own" : errors.map((code) => `\`${code}\``).join(", ")}`;
  });
  return [
    "# Gateway methods",
    "",
    "`POST /v1/rpc/<method>` with a JSON body and a bearer token or session cookie; streams answer as server-sent events. The same methods work over the WebSocket at `/v1/ws`. This page is generated from `packages/protocol/src/gateway.ts`.",
    "",
    "| method | scope | kind | what it does |",
    "|---|---|---|---|",
    ...rows,
    "",
    inputs.join("\n\n"),
    "",
  ].join("\n");
}

function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { http, exit, about }]) => `| \`${code}\` | ${http} | ${exit} | ${about} |`,
  );
  return [
    "# Errors",
    "",
    "Generated from `packages/protocol/src/errors.ts`.",
    "",
    "| code | HTTP | exit | meaning |",
    "|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

const stale = Object.entries(FILES).filter(
  ([file, text]) => !existsSync(join(root, file)) || readFileSync(join(root, file), "utf8") !== text,
);
if (!process.argv.includes("--check")) {
  for (const [file, text] of stale) writeFileSync(join(root, file), text);
  console.log(stale.length === 0 ? "everything is current" : `wrote ${stale.map(([file]) => file).join(", ")}`);
} else if (stale.length > 0) {
  console.error(
    `not current: ${stale.map(([file]) => file).join(", ")}\nrun \`npm run generate\` and commit the result`,
  );
  process.exit(1);
}
