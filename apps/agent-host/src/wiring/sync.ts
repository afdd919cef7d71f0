import type { Clock, Log, Random, Sql } from "@smooth/platform/ports";
import { toSmoothError, SmoothError } from "@smooth/protocol/errors";
import type { HostStatus } from "@smooth/protocol/gateway";
import { type CommandAck, HostCommand } from "@smooth/protocol/host-sync";
import type { Dashboard } from "./dashboard.ts";
import { pushOutbox } from "./outbox.ts";
import type { RunLog } from "./run-log.ts";

/** Keeps host and dashboard level: the outbox goes up, commands come down, both survive any loss of either side.
 *  S1. A command is stored before it is acknowledged as delivered, and takes effect once: one that was under way when the host
 *      died is performed again, which every kind stands (actions.ts).
 *  S2. Neither loop ever ends by itself: failures back off up to 10 s with full jitter, a success resets.
 *  S3. A host that was revoked is reachable through no tunnel of that dashboard from its first refusal on. */

const SCHEMA = `
CREATE TABLE IF NOT EXISTS command (
  n INTEGER PRIMARY KEY, command_id TEXT NOT NULL UNIQUE, body TEXT NOT NULL, state TEXT NOT NULL, outcome TEXT) STRICT;`;

export interface SyncDeps {
  readonly sql: Sql;
  readonly runLog: RunLog;
  readonly dashboard: Dashboard;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Performs one command; throws SmoothError when it cannot. */
  readonly perform: (command: HostCommand) => Promise<void>;
  /** The dashboard knows this host and wants it no more; called again with every refusal. */
  readonly onRevoked: () => void;
  readonly onState: (state: HostStatus["dashboard"]) => void;
}

/** The last command this host has stored; 0 before the first. */
export function lastCommand(sql: Sql): number {
  sql.exec(SCHEMA);
  return Number(sql.get("SELECT MAX(n) AS n FROM command")?.["n"] ?? 0);
}

/** Runs until `signal`; never rejects. */
export async function keepInSync(deps: SyncDeps, signal: AbortSignal): Promise<void> {
  await Promise.all([forever(deps, signal, pushOutbox), forever(deps, signal, takeCommands)]);
}

type Attempt = (deps: SyncDeps, signal: AbortSignal, ok: () => void) => Promise<void>;

async function forever(deps: SyncDeps, signal: AbortSignal, attempt: Attempt): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      await attempt(deps, signal, () => (failures = 0));
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      const { code } = toSmoothError(error);
      deps.log.warn("sync.retry", { loop: attempt.name, failures, error: code });
      if (code === "POLICY_DENIED") deps.onRevoked(); // S3
      deps.onState({ kind: "unreachable", url: deps.dashboard.enrolment.url, sinceMs: deps.clock.now() });
      const ceilingMs = Math.min(10_000, 100 * 2 ** failures);
      await deps.clock.sleep(deps.random() * ceilingMs, signal).catch(() => undefined);
    }
  }
}

async function takeCommands(deps: SyncDeps, signal: AbortSignal, ok: () => void): Promise<void> {
  const { sql, dashboard } = deps;
  deps.sql.exec(SCHEMA);
  await finishInterrupted(deps, signal);
  const onOpen = (): void => {
    ok();
    deps.onState({ kind: "connected", url: dashboard.enrolment.url, org: dashboard.enrolment.org.name });
  };
  for await (const command of dashboard.commands(lastCommand(sql), { signal, onOpen })) {
    const { changes } = sql.run(
      "INSERT INTO command (n, command_id, body, state) VALUES (?, ?, ?, 'received') ON CONFLICT DO NOTHING",
      [command.n, command.commandId, JSON.stringify(command)],
    );
    if (changes === 0) continue;
    await dashboard.acknowledge([{ commandId: command.commandId, outcome: { state: "delivered" } }], signal);
    await perform(deps, command, signal);
  }
  if (!signal.aborted) throw new SmoothError("HOST_OFFLINE", "the dashboard closed the command stream");
}

/** S1. What a crash left open is performed again; outcomes the dashboard may have missed are sent again. */
async function finishInterrupted(deps: SyncDeps, signal: AbortSignal): Promise<void> {
  for (const row of deps.sql.all("SELECT body, outcome FROM command WHERE state <> 'acknowledged' ORDER BY n")) {
    const command = HostCommand.parse(JSON.parse(String(row["body"])));
    if (row["outcome"] === null) await perform(deps, command, signal);
    else await sendOutcome(deps, command, { outcome: JSON.parse(String(row["outcome"])), signal });
  }
}

async function perform(deps: SyncDeps, command: HostCommand, signal: AbortSignal): Promise<void> {
  await sendOutcome(deps, command, { outcome: await outcomeOf(deps, command), signal });
}

async function outcomeOf({ perform, clock, log }: SyncDeps, command: HostCommand): Promise<CommandAck["outcome"]> {
  if (command.expiresAtMs !== null && command.expiresAtMs < clock.now()) {
    return { state: "failed", code: "TIMED_OUT", message: "the command expired before this host could take it" };
  }
  try {
    await perform(command);
    return { state: "consumed" };
  } catch (error) {
    const { code, message } = toSmoothError(error);
    log.warn("sync.command-failed", { kind: command.body.kind, code });
    return { state: "failed", code, message };
  }
}

async function sendOutcome(
  { sql, dashboard }: SyncDeps,
  command: HostCommand,
  { outcome, signal }: { outcome: CommandAck["outcome"]; signal: AbortSignal },
): Promise<void> {
  sql.run("UPDATE command SET state = 'done', outcome = ? WHERE n = ?", [JSON.stringify(outcome), command.n]);
  await dashboard.acknowledge([{ commandId: command.commandId, outcome }], signal);
  sql.run("UPDATE command SET state = 'acknowledged' WHERE n = ?", [command.n]);
}
