"use client";
import type { RunId } from "@smooth/protocol/ids";
import { foldRun, type RunView } from "@smooth/protocol/run-view";
import { ErrorNote, Loading } from "@smooth/ui/controls";
import { type RunActions, RunPage } from "@smooth/ui/run-page";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useSubscription } from "@trpc/tanstack-react-query";
import { type ReactNode, useState } from "react";
import { useTRPC } from "~/trpc/client.tsx";
import { useNow } from "./connection.tsx";
import { useDecide } from "./use-decide.ts";

export function Run({ runId }: { readonly runId: RunId }): ReactNode {
  const trpc = useTRPC();
  const { data, error } = useQuery(trpc.runs.get.queryOptions({ runId }));
  if (error) return <ErrorNote>{error.message}</ErrorNote>;
  if (!data) return <Loading what="the run" />;
  return <LiveRun key={runId} runId={runId} first={data.view} />;
}

/** What the page brought, and then every event after it, folded by the reducer every face uses. */
function LiveRun({ runId, first }: { readonly runId: RunId; readonly first: RunView }): ReactNode {
  const trpc = useTRPC();
  const [view, setView] = useState(first);
  const [afterSeq] = useState(first.lastSeq);
  const nowMs = useNow();
  const decide = useDecide();
  useSubscription(
    trpc.runs.feed.subscriptionOptions(
      { runId, afterSeq },
      { onData: ({ data }) => setView((seen) => foldRun(seen, [data])) },
    ),
  );
  return <RunPage view={view} nowMs={nowMs} actions={useRunActions(runId)} decide={decide} />;
}

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
