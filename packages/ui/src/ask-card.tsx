import type { Ask, AskDecision, AskSubject, GrantScope, PendingAsk } from "@smooth/protocol/asks";
import { actionText } from "@smooth/protocol/ask-text";
import { assertNever } from "@smooth/protocol/errors";
import { type ReactNode, useState } from "react";
import { type Chosen, Choice, chosenAtFirst } from "./ask-choice.tsx";
import { Badge, Button, Card, ErrorNote } from "./controls.tsx";
import type { LinkComponent } from "./shell.tsx";
import { When, within } from "./status.tsx";

/** One thing that waits for a person: the exact action, why it is asked, what a yes would create, and the decision.
 *  The same card in the inbox, in a run and on the phone. Approving takes one tap for once, two for anything wider. */

/** Resolves when the decision is on its way to the host. */
export type Decide = (ask: PendingAsk, decision: AskDecision) => Promise<void>;

interface AskCardProps {
  readonly ask: Ask;
  readonly nowMs: number;
  /** Absent: this person may only look. */
  readonly decide?: Decide | undefined;
  /** Somebody decided; the host has not confirmed it yet. */
  readonly decidingBy?: string | undefined;
  readonly run?: { readonly href: string; readonly title?: string; readonly link: LinkComponent };
}

const RISK = { low: "plain", medium: "plain", high: "bad" } as const; // amber is kept for "needs you"

export function AskCard({ ask, nowMs, decide, decidingBy, run }: AskCardProps): ReactNode {
  const pending = ask.status === "pending";
  return (
    <Card label={ask.question} {...(pending ? { tone: "wait" as const } : {})}>
      <div className="space-y-3 p-4">
        <div className="flex flex-wrap items-center gap-2">
          {pending ? <Badge tone="wait">● Needs you</Badge> : <Badge tone={closedTone(ask)}>{closedText(ask)}</Badge>}
          <Badge tone={RISK[ask.risk]}>{ask.risk} risk</Badge>
          <span className="ml-auto">
            <When atMs={ask.openedAtMs} nowMs={nowMs} />
          </span>
        </div>
        <p className="font-medium break-words">{ask.question}</p>
        <pre
          tabIndex={0}
          aria-label="The exact action"
          className="max-h-60 overflow-auto rounded-lg bg-sunken px-3 py-2 font-mono text-xs leading-5 break-words whitespace-pre-wrap"
        >
          {actionText(ask.subject)}
        </pre>
        <p className="text-sm break-words text-soft">Why: {ask.reason}</p>
        {run && (
          <p className="text-sm text-soft">
            Run:{" "}
            <run.link href={run.href} className="text-accent underline underline-offset-2">
              {run.title ?? "open the run"}
            </run.link>
          </p>
        )}
        {pending && decidingBy !== undefined && <Sent by={decidingBy} />}
        {pending && decidingBy === undefined && decide && <Decision ask={ask} nowMs={nowMs} decide={decide} />}
        {pending && !decide && <p className="text-sm text-soft">An approver or the owner decides this.</p>}
      </div>
    </Card>
  );
}

const Sent = ({ by }: { readonly by: string }): ReactNode => (
  <p role="status" className="text-sm text-soft">
    ◐ Decided by {by}; on its way to the host.
  </p>
);

type Sending =
  | { readonly kind: "open" }
  | { readonly kind: "sending" }
  | { readonly kind: "sent" }
  | { readonly kind: "failed"; readonly why: string };

interface DecisionProps {
  readonly ask: PendingAsk;
  readonly nowMs: number;
  readonly decide: Decide;
}

function Decision({ ask, nowMs, decide }: DecisionProps): ReactNode {
  const [grant, setGrant] = useState<GrantScope>("once");
  const [state, setState] = useState<Sending>({ kind: "open" });
  const choice = ask.subject.kind === "approval" ? ask.subject.choice : undefined;
  const [chosen, setChosen] = useState<Chosen | null>(chosenAtFirst(choice));
  const send = async (decision: AskDecision): Promise<void> => {
    setState({ kind: "sending" });
    try {
      await decide(ask, decision);
      setState({ kind: "sent" });
    } catch (error) {
      setState({ kind: "failed", why: error instanceof Error ? error.message : String(error) });
    }
  };
  if (state.kind === "sent") return <Sent by="you" />;
  const busy = state.kind === "sending";
  return (
    <div className="space-y-3">
      {state.kind === "failed" && <ErrorNote>{state.why}</ErrorNote>}
      {(ask.subject.kind === "network" || ask.subject.kind === "tool") && (
        <Reach subject={ask.subject} grant={grant} choose={setGrant} />
      )}
      {choice && <Choice choice={choice} chosen={chosen} choose={setChosen} />}
      <div className="grid grid-cols-2 gap-2 sm:flex sm:items-center">
        <Button
          tone="accent"
          busy={busy}
          disabled={chosen === null}
          onClick={() => void send({ verdict: "approve", grant, ...chosen })}
        >
          {ask.subject.kind === "merge" ? "Merge" : "Approve"}
        </Button>
        <Button tone="bad" busy={busy} onClick={() => void send({ verdict: "deny" })}>
          Deny
        </Button>
        {ask.expiresAtMs !== null && (
          <span className="col-span-2 text-sm text-soft sm:ml-2">
            Expires in {within(ask.expiresAtMs - nowMs)}; no answer is not a yes.
          </span>
        )}
      </div>
    </div>
  );
}

interface ReachProps {
  readonly subject: Extract<AskSubject, { kind: "network" | "tool" }>;
  readonly grant: GrantScope;
  readonly choose: (grant: GrantScope) => void;
}

/** How far a yes reaches, and the rule it would create. */
function Reach({ subject, grant, choose }: ReachProps): ReactNode {
  const what = subject.kind === "network" ? `${subject.host}:${subject.port}` : `the tool ${subject.tool}`;
  const rule = {
    once: "Creates no rule: the next such request asks again.",
    run: `Creates a rule: allow ${what} until this run ends.`,
    rule: `Creates a rule: allow ${what} in this project, for 30 days.`,
  };
  return (
    <div>
      <label className="flex items-center gap-2 text-sm text-soft">
        Allow
        <select
          value={grant}
          onChange={(event) => choose(event.target.value as GrantScope)}
          className="min-h-11 min-w-0 flex-1 rounded-lg border border-line bg-surface px-2 text-ink sm:min-h-9 sm:flex-none"
        >
          <option value="once">this one time</option>
          <option value="run">for this run</option>
          <option value="rule">for this project, 30 days</option>
        </select>
      </label>
      <p aria-live="polite" className="mt-1.5 text-sm break-words text-soft">
        {rule[grant]}
      </p>
    </div>
  );
}

type ClosedAsk = Exclude<Ask, PendingAsk>;

function closedTone(ask: ClosedAsk): "good" | "bad" | "plain" {
  if (ask.status !== "decided") return "plain";
  return ask.decision.verdict === "approve" ? "good" : "bad";
}

export function closedText(ask: ClosedAsk): string {
  switch (ask.status) {
    case "decided":
      return `${ask.decision.verdict === "approve" ? "✓ Approved" : "✕ Denied"} by ${ask.decidedBy}`;
    case "expired":
      return "○ Expired without an answer";
    case "void":
      return `○ Withdrawn: ${ask.voidReason}`;
    default:
      return assertNever(ask);
  }
}
