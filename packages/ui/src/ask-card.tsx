import type { Ask, AskDecision, GrantScope, PendingAsk } from "@smooth/protocol/asks";
import { assertNever } from "@smooth/protocol/errors";
import { type ReactNode, useState } from "react";
import { Badge, Button, Card, ErrorNote } from "./controls.tsx";
import { When } from "./status.tsx";

/** One thing that waits for a person: the exact action, why it is asked, and the decision. The same card in the inbox, in a
 *  run and on the phone. Approving takes one tap for once, two for anything wider. */

export type Decide = (ask: PendingAsk, decision: AskDecision) => Promise<void>;

interface AskCardProps {
  readonly ask: Ask;
  readonly nowMs: number;
  /** Absent: this person may only look. */
  readonly decide?: Decide | undefined;
  readonly runHref?: string | undefined;
}

const RISK = { low: "plain", medium: "wait", high: "bad" } as const;

export function AskCard({ ask, nowMs, decide, runHref }: AskCardProps): ReactNode {
  return (
    <Card label={ask.question} {...(ask.status === "pending" ? { tone: "wait" as const } : {})}>
      <div className="space-y-3 p-4">
        <div className="flex flex-wrap items-center gap-2">
          {ask.status === "pending" ? <Badge tone="wait">● Needs you</Badge> : <Badge>{closedText(ask)}</Badge>}
          <Badge tone={RISK[ask.risk]}>{ask.risk} risk</Badge>
          <span className="ml-auto">
            <When atMs={ask.openedAtMs} nowMs={nowMs} />
          </span>
        </div>
        <p className="font-medium">{ask.question}</p>
        <pre className="overflow-x-auto rounded-lg bg-sunken px-3 py-2 font-mono text-xs whitespace-pre-wrap">
          {actionText(ask)}
        </pre>
        <p className="text-sm text-soft">
          Asked by rule <code className="font-mono">{ask.reason}</code>
          {runHref && (
            <>
              {" · "}
              <a href={runHref} className="text-accent underline underline-offset-2">
                open the run
              </a>
            </>
          )}
        </p>
        {ask.status === "pending" && decide && <Decision ask={ask} decide={decide} />}
      </div>
    </Card>
  );
}

function Decision({ ask, decide }: { readonly ask: PendingAsk; readonly decide: Decide }): ReactNode {
  const [grant, setGrant] = useState<GrantScope>("once");
  const [state, setState] = useState<
    { readonly kind: "open" } | { readonly kind: "sending" } | { readonly kind: "failed"; readonly why: string }
  >({ kind: "open" });
  const send = async (decision: AskDecision): Promise<void> => {
    setState({ kind: "sending" });
    try {
      await decide(ask, decision);
      setState({ kind: "open" });
    } catch (error) {
      setState({ kind: "failed", why: error instanceof Error ? error.message : String(error) });
    }
  };
  const merge = ask.subject.kind === "merge";
  return (
    <div className="space-y-3">
      {state.kind === "failed" && <ErrorNote>{state.why}</ErrorNote>}
      {ask.subject.kind === "network" && (
        <label className="flex items-center gap-2 text-sm text-soft">
          Allow
          <select
            value={grant}
            onChange={(event) => setGrant(event.target.value as GrantScope)}
            className="min-h-11 rounded-lg border border-line bg-surface px-2 text-ink sm:min-h-9"
          >
            <option value="once">this one request</option>
            <option value="run">for this run</option>
            <option value="rule">for this project, 30 days</option>
          </select>
        </label>
      )}
      <div className="grid grid-cols-2 gap-2 sm:flex">
        <Button tone="accent" busy={state.kind === "sending"} onClick={() => void send({ verdict: "approve", grant })}>
          {merge ? "Merge" : "Approve"}
        </Button>
        <Button tone="bad" busy={state.kind === "sending"} onClick={() => void send({ verdict: "deny" })}>
          Deny
        </Button>
      </div>
    </div>
  );
}

function closedText(ask: Exclude<Ask, PendingAsk>): string {
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

function actionText({ subject }: Ask): string {
  switch (subject.kind) {
    case "network":
      return `${subject.method} ${subject.host}:${subject.port}${subject.path ?? ""}`;
    case "tool":
      return `${subject.tool} ${subject.args}`;
    case "merge":
      return `merge into ${subject.branch} of ${subject.repo}\n${subject.files} files, +${subject.additions} −${subject.deletions}`;
    case "approval":
      return subject.summary ? `${subject.title}\n${subject.summary}` : subject.title;
    default:
      return assertNever(subject);
  }
}
