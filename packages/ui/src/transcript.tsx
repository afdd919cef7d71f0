import { actionText } from "@smooth/protocol/ask-text";
import type { Ask } from "@smooth/protocol/asks";
import { assertNever } from "@smooth/protocol/errors";
import type { TranscriptItem } from "@smooth/protocol/run-view";
import { clsx } from "clsx";
import { memo, type ReactNode } from "react";
import { closedText } from "./ask-card.tsx";
import { Badge } from "./controls.tsx";
import { Markdown } from "./markdown.tsx";

/** What the operator said and did, in order. Rows keep their place; a long one costs only what is on screen. */
export function Transcript({ items }: { readonly items: readonly TranscriptItem[] }): ReactNode {
  return (
    <ol className="space-y-3" aria-label="Transcript">
      {items.map((item) => (
        <li key={item.id} className="far-away">
          <Item item={item} />
        </li>
      ))}
    </ol>
  );
}

/** A new object means a new state, so what did not change is not drawn again. */
const Item = memo(function Item({ item }: { readonly item: TranscriptItem }): ReactNode {
  switch (item.kind) {
    case "message":
      return <Message {...item} />;
    case "tool":
      return <Tool {...item} />;
    case "verify":
      return <Verify {...item} />;
    case "egress":
      return (
        <Line glyph={item.verdict === "allowed" ? "↗" : "⊘"} tone={item.verdict === "allowed" ? "soft" : "bad"}>
          {item.verdict === "allowed" ? "Reached" : "Blocked"} {item.host}:{item.port}{" "}
          <span className="text-soft">by {item.rule}</span>
        </Line>
      );
    case "ask":
      return <Asked ask={item.ask} />;
    case "finding":
      return (
        <Line glyph="▲" tone={item.finding.severity === "info" ? "soft" : "bad"}>
          <span className="sr-only">Finding: </span>
          {item.finding.rule} <span className="text-soft">{item.finding.excerpt}</span>
        </Line>
      );
    case "note":
      return (
        <Line glyph="·" tone="soft">
          {item.text}
        </Line>
      );
    default:
      return assertNever(item);
  }
});

function Message({ role, text, streaming }: Extract<TranscriptItem, { kind: "message" }>): ReactNode {
  const mine = role === "user";
  return (
    <div className={clsx(mine && "ml-auto w-fit max-w-full rounded-xl bg-accent-soft px-4 py-2.5")}>
      {mine && <span className="sr-only">A person said: </span>}
      <Markdown text={text} />
      {streaming && <span aria-hidden="true" className="inline-block h-4 w-1.5 animate-pulse bg-accent" />}
    </div>
  );
}

/** The card with the buttons stands above the transcript; here is the record. */
function Asked({ ask }: { readonly ask: Ask }): ReactNode {
  const pending = ask.status === "pending";
  return (
    <details className="rounded-lg border border-line bg-surface">
      <summary className={SUMMARY}>
        <span className="min-w-0 flex-1">{ask.question}</span>
        <Badge tone={pending ? "wait" : "plain"}>{pending ? "● Needs you" : closedText(ask)}</Badge>
      </summary>
      <div className="border-t border-line p-3">
        <Output label="The exact action">{actionText(ask.subject)}</Output>
      </div>
    </details>
  );
}

const SUMMARY =
  "flex min-h-11 cursor-pointer list-none flex-wrap items-center gap-x-2 gap-y-1 px-3 py-1.5 text-sm sm:min-h-9";

function Tool({ tool, args, result }: Extract<TranscriptItem, { kind: "tool" }>): ReactNode {
  return (
    <details className="group rounded-lg border border-line bg-surface">
      <summary className={SUMMARY}>
        <span
          aria-hidden="true"
          className={clsx("w-4 text-center", result === null ? "text-accent" : result.ok ? "text-good" : "text-bad")}
        >
          {result === null ? "◐" : result.ok ? "✓" : "✕"}
        </span>
        {result?.ok === false && <span className="sr-only">failed: </span>}
        <span className="font-mono font-medium">{tool}</span>
        <span className="min-w-0 flex-1 truncate font-mono text-xs text-soft">{brief(args)}</span>
        <span className="text-xs text-soft">
          {result === null ? "running" : `${(result.tookMs / 1_000).toFixed(1)} s`}
        </span>
      </summary>
      <div className="space-y-2 border-t border-line p-3">
        <Output label="Arguments">{args}</Output>
        {result && <Output label="Result">{result.output || "(nothing)"}</Output>}
      </div>
    </details>
  );
}

/** `{"command":"npm test"}` → `npm test`: the first text says most. */
function brief(args: string): string {
  try {
    const values = Object.values(JSON.parse(args) as Record<string, unknown>).filter(
      (value) => typeof value === "string",
    );
    return values[0] ?? args;
  } catch {
    return args;
  }
}

function Verify({ command, green, exitCode, output }: Extract<TranscriptItem, { kind: "verify" }>): ReactNode {
  return (
    <details className="rounded-lg border border-line bg-surface">
      <summary className={SUMMARY}>
        <Badge tone={green ? "good" : "bad"}>{green ? "✓ Green" : "✕ Not green"}</Badge>
        <span className="min-w-0 flex-1 truncate font-mono text-xs">{command}</span>
        <span className="text-xs text-soft">{exitCode === null ? "did not end" : `exit ${exitCode}`}</span>
      </summary>
      <div className="border-t border-line p-3">
        <Output label="What it printed">{output || "(nothing)"}</Output>
      </div>
    </details>
  );
}

function Output({ label, children }: { readonly label: string; readonly children: string }): ReactNode {
  return (
    <div>
      <p className="mb-1 text-xs text-soft">{label}</p>
      <pre
        tabIndex={0}
        aria-label={label}
        className="max-h-96 overflow-auto rounded bg-sunken px-3 py-2 font-mono text-xs leading-5 break-words whitespace-pre-wrap"
      >
        {children}
      </pre>
    </div>
  );
}

const TONES = { soft: "text-soft", bad: "text-bad" } as const;

function Line({
  glyph,
  tone,
  children,
}: {
  readonly glyph: string;
  readonly tone: keyof typeof TONES;
  readonly children: ReactNode;
}): ReactNode {
  return (
    <p className="flex gap-2 px-3 text-sm">
      <span aria-hidden="true" className={clsx("w-4 shrink-0 text-center", TONES[tone])}>
        {glyph}
      </span>
      <span className="min-w-0 break-words">{children}</span>
    </p>
  );
}
