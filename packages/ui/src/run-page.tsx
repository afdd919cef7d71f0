import { Tabs } from "@base-ui/react/tabs";
import type { Ask } from "@smooth/protocol/asks";
import type { RunView } from "@smooth/protocol/run-view";
import { clsx } from "clsx";
import { type ReactNode, useState } from "react";
import { AskCard, type Decide } from "./ask-card.tsx";
import { Badge, Button, Card, Empty, ErrorNote, INPUT } from "./controls.tsx";
import { Cost } from "./cost.tsx";
import { Diff } from "./diff.tsx";
import { cost, DemoBadge, isVm, LEVELS, RunBadge } from "./status.tsx";
import { Transcript } from "./transcript.tsx";

/** One run, live. The same view in the dashboard and in the session a phone opens through the tunnel.
 *  What waits for the reader stands above everything else. */

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
  /** Under the title: where it runs, which pearl it works on. */
  readonly aside?: ReactNode;
}

export function RunPage({ view, nowMs, actions, decide, aside }: RunPageProps): ReactNode {
  const over = view.status === "finished" || view.status === "failed" || view.status === "cancelled";
  const files = view.diff?.files;
  return (
    <div className="space-y-4">
      <Header view={view} actions={over ? undefined : actions} aside={aside} />
      <Waiting asks={view.asks} nowMs={nowMs} decide={decide} />
      <Tabs.Root defaultValue="transcript" className="space-y-4">
        <Tabs.List activateOnFocus aria-label="Parts of the run" className="flex overflow-x-auto border-b border-line">
          <Tab value="transcript">Transcript</Tab>
          <Tab value="diff">Diff{files ? ` (${files.length})` : ""}</Tab>
          <Tab value="steps">Steps</Tab>
          <Tab value="cost">Cost</Tab>
        </Tabs.List>
        <Tabs.Panel value="transcript">
          <Work view={view} />
          {actions && !over && <Composer steer={actions.steer} />}
        </Tabs.Panel>
        <Tabs.Panel value="diff">
          <Diff files={files ?? null} />
        </Tabs.Panel>
        <Tabs.Panel value="steps">
          <Steps view={view} />
        </Tabs.Panel>
        <Tabs.Panel value="cost">
          <Cost usage={view.usage} />
        </Tabs.Panel>
      </Tabs.Root>
    </div>
  );
}

const Tab = ({ value, children }: { readonly value: string; readonly children: ReactNode }): ReactNode => (
  <Tabs.Tab
    value={value}
    className="min-h-11 shrink-0 cursor-pointer border-b-2 border-transparent px-3 text-sm text-soft data-[active]:border-accent data-[active]:font-semibold data-[active]:text-ink"
  >
    {children}
  </Tabs.Tab>
);

function Header({ view, actions, aside }: Pick<RunPageProps, "view" | "actions" | "aside">): ReactNode {
  return (
    <header className="space-y-3">
      <div className="flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
        <h1 className="min-w-0 text-xl font-semibold tracking-tight break-words sm:flex-1">{view.title}</h1>
        {actions && <Controls paused={view.status === "paused"} actions={actions} />}
      </div>
      <div className="flex flex-wrap items-center gap-2">
        <RunBadge status={view.status} />
        {view.demo && <DemoBadge />}
        {view.sandbox && (
          <Badge tone={isVm(view.sandbox.level) ? "plain" : "bad"}>
            {LEVELS[view.sandbox.level]} · {view.sandbox.driver}
          </Badge>
        )}
        <Badge>{cost(view.usage.costUsd, view.usage.unpricedCalls)}</Badge>
        {view.merged && (
          <Badge tone="good">
            ✓ Merged into {view.merged.branch} as {view.merged.commit.slice(0, 8)}
          </Badge>
        )}
      </div>
      {aside}
      {view.reason && (
        <p className={clsx("text-sm break-words", view.status === "failed" ? "text-bad" : "text-soft")}>
          {view.reason}
        </p>
      )}
      {view.stop && (
        <p className="text-sm break-words text-soft">
          The governor stopped it: <strong className="font-medium text-ink">{view.stop.reason}</strong>.{" "}
          {view.stop.detail}
        </p>
      )}
    </header>
  );
}

function Controls({ paused, actions }: { readonly paused: boolean; readonly actions: RunActions }): ReactNode {
  const { act, busy, failure } = useAct();
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

interface WaitingProps {
  readonly asks: readonly Ask[];
  readonly nowMs: number;
  readonly decide: Decide | undefined;
}

function Waiting({ asks, nowMs, decide }: WaitingProps): ReactNode {
  const pending = asks.filter(({ status }) => status === "pending");
  if (pending.length === 0) return null;
  return (
    <section aria-label="Needs you" className="space-y-3">
      {pending.map((ask) => (
        <AskCard key={`${ask.id}@${ask.version}`} ask={ask} nowMs={nowMs} decide={decide} />
      ))}
    </section>
  );
}

function Work({ view }: { readonly view: RunView }): ReactNode {
  if (view.transcript.length > 0) return <Transcript items={view.transcript} />;
  return <Empty title="Nothing said yet">The operator's first words appear here once its sandbox has started.</Empty>;
}

const GLYPHS = {
  running: ["◐", "text-accent"],
  finished: ["✓", "text-good"],
  failed: ["✕", "text-bad"],
  waiting: ["●", "text-wait"],
} as const;

function Steps({ view }: { readonly view: RunView }): ReactNode {
  if (view.nodes.length === 0) return <Empty title="No steps yet">The workflow has not begun.</Empty>;
  return (
    <Card>
      <ol className="divide-y divide-line">
        {view.nodes.map((node) => (
          <li
            key={`${node.nodeId}::${node.iteration}`}
            className="far-away flex min-h-11 items-center gap-3 px-4 py-2 text-sm"
          >
            <span aria-hidden="true" className={clsx("w-4 text-center", GLYPHS[node.state][1])}>
              {GLYPHS[node.state][0]}
            </span>
            <span className="min-w-0 flex-1 break-words">
              {node.label || node.nodeId}
              {node.iteration > 0 && <span className="text-soft"> · turn {node.iteration + 1}</span>}
              {node.attempt > 1 && <span className="text-soft"> · attempt {node.attempt}</span>}
              {node.detail && <span className="block text-soft">{node.detail}</span>}
            </span>
            <span className="text-right whitespace-nowrap text-soft">
              {node.state}
              {node.endedAtMs !== null && ` · ${((node.endedAtMs - node.startedAtMs) / 1_000).toFixed(1)} s`}
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
      className="sticky bottom-14 mt-4 space-y-2 border-t border-line bg-ground py-3 sm:bottom-0"
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
