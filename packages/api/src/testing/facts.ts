import type { Ask } from "@smooth/protocol/asks";
import type { HostStatus } from "@smooth/protocol/gateway";
import type { Pearl } from "@smooth/protocol/pearls";

/** Plausible facts for tests: change only what the test is about. */

export const pearlFact = (id: string, change: Partial<Pearl> = {}): Pearl =>
  ({
    id,
    title: "Fix the clock",
    description: "",
    status: "open",
    priority: 2,
    type: "task",
    labels: [],
    repo: "/src/clock",
    verify: "npm test",
    budgetUsd: null,
    createdAtMs: 1_800_000_000_000,
    updatedAtMs: 1_800_000_000_000,
    closedAtMs: null,
    ...change,
  }) as Pearl;

export const askFact = (id: string, runId: string, change: Partial<Ask> = {}): Ask =>
  ({
    id,
    version: 1,
    runId,
    pearlId: null,
    subject: { kind: "network", host: "docs.example.com", port: 443, method: "GET" },
    question: "Let the operator read docs.example.com?",
    reason: "no rule names it",
    risk: "low",
    actionHash: "a".repeat(64),
    openedAtMs: 1_800_000_000_000,
    expiresAtMs: null,
    status: "pending",
    ...change,
  }) as Ask;

export const statusFact = (change: Partial<HostStatus> = {}): HostStatus => ({
  name: "laptop",
  version: "0.1.0",
  demo: true,
  startedAtMs: 1_800_000_000_000,
  sandbox: { kind: "ready", driver: "qemu", level: "emulated-vm" },
  tunnel: { kind: "off" },
  dashboard: { kind: "unpaired" },
  runsActive: 0,
  capacity: 2,
  ...change,
});
