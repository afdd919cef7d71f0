import type { RunView } from "@smooth/protocol/run-view";
import { clsx } from "clsx";
import { type ReactNode, useState } from "react";
import type { Decide } from "./ask-card.tsx";
import { Badge, Button, Card, Empty, ErrorNote, INPUT } from "./controls.tsx";
import { Diff } from "./diff.tsx";
import { cost, DemoBadge, RunBadge } from "./status.tsx";
import { Transcript } from "./transcript.tsx";

/** One run, live. The same view in the dashboard and in the session a phone opens through the tunnel. */

export interface RunActions {
  readonly steer: (text: string) => Promise<void>;
  readonly pause: () => Promise<void>;
  readonly unpause: () => Promise<void>;
  readonly cancel: () => Promise<void>;
}

interface RunPageProps {
  readonly view: RunView;
  readonly nowMs: number;
  /** Absent: this person may only watch. */
  readonly actions?: RunActions | undefined;
  readonly decide?: Decide | undefined;
  readonly aside?: ReactNode;
}

const TABS = ["Transcript", "Diff", "Steps"] as const;
type Tab = (typeof TABS)[number];

export function RunPage({ view, nowMs, actions, decide, aside }: RunPageProps): ReactNode {
  const [tab, setTab] = useState<Tab>("Transcript");
  const over = view.status === "finished" || view.status === "failed" || view.status === "cancelled";
  return (
    <div className="space-y-4">
      <Header view={view} actions={over ? undefined : actions} aside={aside} />
      <div role="tablist" aria-label="Parts of the run" className="flex gap-1 border-b border-line">
        {TABS.map((name) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`tab-${name}`}
            aria-selected={tab === name}
            aria-controls={`panel-${name}`}
            onClick={() => setTab(name)}
            className={clsx(
              "-mb-px min-h-11 cursor-pointer border-b-2 px-3 text-sm",
              tab === name ? "border-accent font-semibold text-ink" : "border-transparent text-soft",
            )}
          >
            {name}
            {name === "Diff" && view.diff ? ` (${view.diff.files.length})` : ""}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`panel-${tab}`} aria-labelledby={`tab-${tab}`}>
        {tab === "Transcript" && <Work view={view} nowMs={nowMs} decide={decide} />}
        {tab === "Diff" && <Diff files={view.diff?.files ?? null} />}
        {tab === "Steps" && <Steps view={view} />}
      </div>
      {tab === "Transcript" && actions && !over && <Composer steer={actions.steer} />}
    </div>
  );
}

function Header({ view, actions, aside }: Pick<RunPageProps, "view" | "actions" | "aside">): ReactNode {
  return (
    <header className="space-y-3">
      <div className="flex flex-wrap items-start justify-between gap-3">
        <h1 className="min-w-0 text-xl font-semibold tracking-tight break-words">{view.title}</h1>
        {aside}
      </div>
      <div className="flex flex-wrap items-center gap-2">
        <RunBadge status={view.status} />
        {view.demo && <DemoBadge />}
        {view.sandbox && (
          <Badge>
            {view.sandbox.level === "hardware-vm"
              ? "hardware-isolated VM"
              : view.sandbox.level === "emulated-vm"
                ? "emulated VM, jailed"
                : view.sandbox.level}
          </Badge>
        )}
        <Badge>{cost(view.usage.costUsd, view.usage.unpricedCalls)}</Badge>
        {view.merged && <Badge tone="good">✓ Merged as {view.merged.commit.slice(0, 8)}</Badge>}
      </div>
      {view.reason && (
        <p className={clsx("text-sm", view.status === "failed" ? "text-bad" : "text-soft")}>{view.reason}</p>
      )}
      {view.stop && (
        <p className="text-sm text-soft">
          The governor stopped: <strong className="font-medium text-ink">{view.stop.reason}</strong>. {view.stop.detail}
        </p>
      )}
      {actions && <Controls view={view} actions={actions} />}
    </header>
  );
}

function Controls({ view, actions }: { readonly view: RunView; readonly actions: RunActions }): ReactNode {
  const { act, busy, failure } = useAct();
  const paused = view.status === "paused";
  return (
    <div className="space-y-2">
      <div className="flex gap-2">
        <Button busy={busy} onClick={() => void act(paused ? actions.unpause : actions.pause)}>
          {paused ? "Resume" : "Pause"}
        </Button>
        <Button tone="bad" busy={busy} onClick={() => void act(actions.cancel)}>
          Cancel run
        </Button>
      </div>
      {failure && <ErrorNote>{failure}</ErrorNote>}
    </div>
  );
}

function Work({ view, nowMs, decide }: Pick<RunPageProps, "view" | "nowMs" | "decide">): ReactNode {
  if (view.transcript.length === 0)
    return <Empty title="Nothing said yet">The sandbox is starting; the operator's first words appear here.</Empty>;
  return <Transcript items={view.transcript} nowMs={nowMs} decide={decide} />;
}

const GLYPHS = { running: "◐", finished: "✓", failed: "✕", waiting: "●" } as const;

function Steps({ view }: { readonly view: RunView }): ReactNode {
  if (view.nodes.length === 0) return <Empty title="No steps yet">The workflow has not begun.</Empty>;
  return (
    <Card>
      <ol className="divide-y divide-line">
        {view.nodes.map((node) => (
          <li key={`${node.nodeId}::${node.iteration}`} className="flex min-h-11 items-center gap-3 px-4 py-2 text-sm">
            <span aria-hidden="true" className="w-4 text-center">
              {GLYPHS[node.state]}
            </span>
            <span className="min-w-0 flex-1">
              {node.label || node.nodeId}
              {node.iteration > 0 && <span className="text-soft"> · turn {node.iteration + 1}</span>}
              {node.attempt > 1 && <span className="text-soft"> · attempt {node.attempt}</span>}
              {node.detail && <span className="block text-soft">{node.detail}</span>}
            </span>
            <span className="text-soft">
              {node.endedAtMs === null ? node.state : `${((node.endedAtMs - node.startedAtMs) / 1_000).toFixed(1)} s`}
            </span>
          </li>
        ))}
      </ol>
    </Card>
  );
}

function Composer({ steer }: Pick<RunActions, "steer">): ReactNode {
  const [text, setText] = useState("");
  const { act, busy, failure } = useAct();
  return (
    <form
      className="sticky bottom-16 space-y-2 border-t border-line bg-ground py-3 sm:bottom-0"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim() !== "") void act(() => steer(text.trim()).then(() => setText("")));
      }}
    >
      {failure && <ErrorNote>{failure}</ErrorNote>}
      <div className="flex gap-2">
        <input
          aria-label="Steer the operator"
          placeholder="Steer the operator…"
          value={text}
          onChange={(event) => setText(event.target.value)}
          className={INPUT}
        />
        <Button type="submit" tone="accent" busy={busy}>
          Send
        </Button>
      </div>
    </form>
  );
}

function useAct(): { act: (task: () => Promise<void>) => Promise<void>; busy: boolean; failure: string | null } {
  const [state, setState] = useState<"idle" | "busy" | { readonly why: string }>("idle");
  const act = async (task: () => Promise<void>): Promise<void> => {
    setState("busy");
    try {
      await task();
      setState("idle");
    } catch (error) {
      setState({ why: error instanceof Error ? error.message : String(error) });
    }
  };
  return { act, busy: state === "busy", failure: typeof state === "object" ? state.why : null };
}
