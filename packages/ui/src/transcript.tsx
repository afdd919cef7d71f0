import type { Ask } from "@smooth/protocol/asks";
import { assertNever } from "@smooth/protocol/errors";
import type { TranscriptItem } from "@smooth/protocol/run-view";
import { clsx } from "clsx";
import type { ReactNode } from "react";
import { AskCard, type Decide } from "./ask-card.tsx";
import { Badge } from "./controls.tsx";

/** What the operator said and did, in order. Model text is shown as text: no HTML, no images, no links of its own. */

interface TranscriptProps {
  readonly items: readonly TranscriptItem[];
  readonly nowMs: number;
  readonly decide?: Decide | undefined;
}

export function Transcript({ items, nowMs, decide }: TranscriptProps): ReactNode {
  return (
    <ol className="space-y-3" aria-label="Transcript">
      {items.map((item) => (
        <li key={item.id}>
          <Item item={item} nowMs={nowMs} decide={decide} />
        </li>
      ))}
    </ol>
  );
}

function Item({ item, nowMs, decide }: { readonly item: TranscriptItem } & Omit<TranscriptProps, "items">): ReactNode {
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
      return <AskCard ask={item.ask satisfies Ask} nowMs={nowMs} decide={decide} />;
    case "finding":
      return (
        <Line glyph="▲" tone={item.finding.severity === "info" ? "soft" : "bad"}>
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
}

function Message({ role, text, streaming }: Extract<TranscriptItem, { kind: "message" }>): ReactNode {
  const mine = role === "user";
  return (
    <div
      className={clsx(
        "max-w-prose text-sm leading-relaxed break-words whitespace-pre-wrap",
        mine && "ml-auto w-fit rounded-xl bg-accent-soft px-4 py-2.5",
      )}
    >
      {mine && <span className="sr-only">You said: </span>}
      {text}
      {streaming && (
        <span aria-hidden="true" className="ml-0.5 inline-block h-4 w-1.5 animate-pulse bg-accent align-text-bottom" />
      )}
    </div>
  );
}

function Tool({ tool, args, result }: Extract<TranscriptItem, { kind: "tool" }>): ReactNode {
  return (
    <details className="group rounded-lg border border-line bg-surface">
      <summary className="flex min-h-11 cursor-pointer list-none items-center gap-2 px-3 text-sm sm:min-h-9">
        <span
          aria-hidden="true"
          className={clsx("w-4 text-center", result === null ? "text-accent" : result.ok ? "text-good" : "text-bad")}
        >
          {result === null ? "◐" : result.ok ? "✓" : "✕"}
        </span>
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
      <summary className="flex min-h-11 cursor-pointer list-none items-center gap-2 px-3 text-sm sm:min-h-9">
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
        className="max-h-96 overflow-auto rounded bg-sunken px-3 py-2 font-mono text-xs break-words whitespace-pre-wrap"
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
