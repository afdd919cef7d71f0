import { join } from "node:path";
import process from "node:process";
import { loadProviders } from "@smooth/agents/providers/file";
import { routeSlot } from "@smooth/agents/providers";
import type { DoctorReport } from "@smooth/cli/daemon";
import { memoryLog } from "@smooth/platform/testing";
import { toSmoothError } from "@smooth/protocol/errors";
import { readEnv } from "./env.ts";
import { openDriver } from "./wiring/driver.ts";

/** What this machine has, what it lacks, and the command that fixes it. Looks only; changes nothing. */

type Check = DoctorReport["checks"][number];

export async function runDoctor({ home }: { readonly home: string }): Promise<DoctorReport> {
  return { checks: [nodeCheck(), await sandboxCheck(), await providerCheck(home)] };
}

function nodeCheck(): Check {
  const ok = Number(process.versions.node.split(".")[0]) >= 24;
  return {
    name: "node",
    ok,
    detail: `Node ${process.versions.node}`,
    fix: ok ? null : "start through npm, which brings Node 24 along",
  };
}

async function sandboxCheck(): Promise<Check> {
  const env = readEnv(process.env);
  const probe = await openDriver(env, memoryLog()).probe();
  if (probe.kind === "usable")
    return {
      name: "sandbox",
      ok: true,
      detail: `${probe.level} by ${env.sandbox} (${probe.reasons.join("; ")})`,
      fix: null,
    };
  return { name: "sandbox", ok: false, detail: probe.reasons.join("; "), fix: probe.fixes.join(" && ") || null };
}

async function providerCheck(home: string): Promise<Check> {
  const name = "model provider";
  try {
    const route = routeSlot("smooth-coding", {
      file: await loadProviders(join(home, "providers.json")),
      env: process.env,
    });
    if (route.kind === "demo") return { name, ok: true, detail: "none: the scripted DEMO model answers", fix: null };
    const [first] = route.targets;
    if (first)
      return { name, ok: true, detail: `${first.providerId} (${first.model}) serves smooth-coding`, fix: null };
    return { name, ok: false, detail: route.skipped.join("; "), fix: "th auth login <provider>" };
  } catch (error) {
    return {
      name,
      ok: false,
      detail: toSmoothError(error).message,
      fix: `mend or remove ${join(home, "providers.json")}`,
    };
  }
}
