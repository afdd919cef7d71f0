"use client";
import type { RunId } from "@smooth/protocol/ids";
import { foldRun } from "@smooth/protocol/run-view";
import { ErrorNote, Loading } from "@smooth/ui/controls";
import { type RunActions, RunPage } from "@smooth/ui/run-page";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useSubscription } from "@trpc/tanstack-react-query";
import { type ReactNode, useState } from "react";
import { useTRPC } from "~/trpc/client.tsx";
import type { Outputs } from "~/trpc/outputs.ts";
import { useNow } from "./connection.tsx";
import { Link } from "./frame.tsx";
import { useDecide } from "./use-decide.ts";
import { useMay } from "./use-may.ts";

type RunData = Outputs["runs"]["get"];

export function Run({ runId }: { readonly runId: RunId }): ReactNode {
  const trpc = useTRPC();
  const { data, error } = useQuery(trpc.runs.get.queryOptions({ runId }));
  if (error) return <ErrorNote>{error.message}</ErrorNote>;
  if (!data) return <Loading what="the run" />;
  return <LiveRun key={runId} data={data} />;
}

/** What the page brought, and then every event after it, folded by the reducer every face uses. */
function LiveRun({ data }: { readonly data: RunData }): ReactNode {
  const { runId } = data.run;
  const trpc = useTRPC();
  const [view, setView] = useState(data.view);
  const [afterSeq] = useState(data.view.lastSeq);
  const nowMs = useNow();
  const may = useMay();
  const decide = useDecide();
  const actions = useRunActions(runId);
  useSubscription(
    trpc.runs.feed.subscriptionOptions(
      { runId, afterSeq },
      { onData: ({ data: event }) => setView((seen) => foldRun(seen, [event])) },
    ),
  );
  return (
    <RunPage
      view={view.lastSeq === 0 ? data.view : view} // before its first event a run is what its row says
      nowMs={nowMs}
      actions={may("run:write") ? actions : undefined}
      decide={decide}
      aside={<Where data={data} />}
    />
  );
}

function Where({ data: { run, commands } }: { readonly data: RunData }): ReactNode {
  const [last] = commands;
  const underWay = last?.state === "sent" || last?.state === "delivered";
  const lost = last?.state === "failed" || last?.state === "expired";
  return (
    <div className="space-y-1 text-sm text-soft">
      <p>
        On {run.host.name}
        {run.host.presence.kind !== "online" && `, ${run.host.presence.kind}`}
        {run.pearlId && (
          <>
            {" · pearl "}
            <Link href={`/pearls/${run.pearlId}`} className="font-mono text-accent underline underline-offset-2">
              {run.pearlId}
            </Link>
          </>
        )}
      </p>
      {underWay && (
        <p role="status">
          ◐ {wordOf(last.kind)} by {last.by}:{" "}
          {last.state === "sent" ? `waiting for ${run.host.name}` : "the host has it"}
        </p>
      )}
      {lost && (
        <p role="status" className="text-bad">
          ✕ {wordOf(last.kind)} by {last.by}: {last.error?.message ?? "the host was not there in time"}
        </p>
      )}
    </div>
  );
}

const WORDS: Readonly<Record<string, string>> = {
  dispatch: "Started",
  decideAsk: "Decided",
  steer: "Steered",
  pause: "Paused",
  unpause: "Resumed",
  cancel: "Cancelled",
};
const wordOf = (kind: string): string => WORDS[kind] ?? kind;

function useRunActions(runId: RunId): RunActions {
  const trpc = useTRPC();
  const steer = useMutation(trpc.runs.steer.mutationOptions());
  const pause = useMutation(trpc.runs.pause.mutationOptions());
  const unpause = useMutation(trpc.runs.unpause.mutationOptions());
  const cancel = useMutation(trpc.runs.cancel.mutationOptions());
  return {
    steer: async (text) => void (await steer.mutateAsync({ runId, text })),
    pause: async () => void (await pause.mutateAsync({ runId })),
    unpause: async () => void (await unpause.mutateAsync({ runId })),
    cancel: async () => void (await cancel.mutateAsync({ runId })),
  };
}
