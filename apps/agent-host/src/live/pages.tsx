import type { Ask } from "@smooth/protocol/asks";
import { type Output, ROLE_SCOPES, type Scope } from "@smooth/protocol/gateway";
import type { RunId } from "@smooth/protocol/ids";
import { AskCard, type Decide } from "@smooth/ui/ask-card";
import { Empty, ErrorNote, Loading, SectionTitle } from "@smooth/ui/controls";
import { RunList } from "@smooth/ui/lists";
import { type RunActions, RunPage } from "@smooth/ui/run-page";
import { type LinkComponent, PageTitle } from "@smooth/ui/shell";
import { useQuery, useQueryClient, type UseQueryResult } from "@tanstack/react-query";
import { type ReactNode, useEffect } from "react";
import { host, isSignedOut } from "./host.ts";
import { useNow } from "./now.ts";
import { useRun } from "./use-run.ts";

/** The pages of the live session. What a person may not do is not offered; the host refuses it anyway. */

const LOOK_AGAIN_MS = 2_000;

export type Me = Output<"whoAmI">;
const may = ({ role }: Me, scope: Scope): boolean => (ROLE_SCOPES[role] as readonly Scope[]).includes(scope);

export const Anchor: LinkComponent = ({ children, ...rest }) => <a {...rest}>{children}</a>;

export const usePendingAsks = (): UseQueryResult<readonly Ask[], Error> =>
  useQuery({
    queryKey: ["asks", "pending"],
    queryFn: async ({ signal }) => (await host.call("listAsks", {}, signal)).asks,
    refetchInterval: LOOK_AGAIN_MS,
  });

const useRuns = () =>
  useQuery({
    queryKey: ["runs"],
    queryFn: async ({ signal }) => (await host.call("listRuns", { limit: 100 }, signal)).runs,
    refetchInterval: LOOK_AGAIN_MS,
  });

function useDecide(me: Me): Decide | undefined {
  const queries = useQueryClient();
  if (!may(me, "ask:decide")) return undefined;
  return async (ask, decision) => {
    try {
      await host.call("decideAsk", { askId: ask.id, version: ask.version, decision });
    } finally {
      void queries.invalidateQueries({ queryKey: ["asks"] });
    }
  };
}

export function HomePage({ me }: { readonly me: Me }): ReactNode {
  const nowMs = useNow();
  const decide = useDecide(me);
  const { data: asks = [] } = usePendingAsks();
  const { data: runs, error } = useRuns();
  return (
    <div className="space-y-8">
      <PageTitle>Live session</PageTitle>
      {asks.length > 0 && (
        <section aria-label="Needs you">
          <SectionTitle>Needs you</SectionTitle>
          <Asks asks={asks} nowMs={nowMs} decide={decide} />
        </section>
      )}
      {!runs && error && <ErrorNote>{error.message}</ErrorNote>}
      {!runs && !error && <Loading what="the runs of this host" />}
      {runs?.length === 0 && (
        <Empty title="No runs yet">Create a pearl in the dashboard and run it; you can watch it here.</Empty>
      )}
      {runs && runs.length > 0 && (
        <section aria-label="Runs">
          <SectionTitle>Runs</SectionTitle>
          <RunList runs={runs} nowMs={nowMs} link={Anchor} hrefOf={(runId) => `/runs/${runId}`} />
        </section>
      )}
    </div>
  );
}

export function InboxPage({ me }: { readonly me: Me }): ReactNode {
  const nowMs = useNow();
  const decide = useDecide(me);
  const { data, error } = useQuery({
    queryKey: ["asks", "all"],
    queryFn: async ({ signal }) => (await host.call("listAsks", { status: "all" }, signal)).asks.toReversed(),
    refetchInterval: LOOK_AGAIN_MS,
  });
  const pendingFirst = data?.toSorted((a, b) => Number(b.status === "pending") - Number(a.status === "pending"));
  return (
    <>
      <PageTitle>Inbox</PageTitle>
      {!data && error && <ErrorNote>{error.message}</ErrorNote>}
      {!data && !error && <Loading what="the inbox" />}
      {data?.length === 0 && (
        <Empty title="Nothing waits for you">
          When an operator needs a site, a command or a review, it appears here.
        </Empty>
      )}
      {pendingFirst && <Asks asks={pendingFirst} nowMs={nowMs} decide={decide} />}
    </>
  );
}

interface AsksProps {
  readonly asks: readonly Ask[];
  readonly nowMs: number;
  readonly decide: Decide | undefined;
}

const Asks = ({ asks, nowMs, decide }: AsksProps): ReactNode => (
  <div className="space-y-3">
    {asks.map((ask) => (
      <AskCard
        key={ask.id}
        ask={ask}
        nowMs={nowMs}
        decide={decide}
        run={{ href: `/runs/${ask.runId}`, link: Anchor }}
      />
    ))}
  </div>
);

export function LiveRunPage({ runId, me }: { readonly runId: RunId; readonly me: Me }): ReactNode {
  const { view, error } = useRun(runId);
  const nowMs = useNow();
  const decide = useDecide(me);
  const queries = useQueryClient();
  useEffect(() => {
    if (isSignedOut(error)) void queries.invalidateQueries({ queryKey: ["me"] }); // the whole page learns at once
  }, [error, queries]);
  if (error) return <ErrorNote>{error.message}</ErrorNote>;
  if (view.lastSeq === 0) return <Loading what="the run" />;
  return (
    <RunPage view={view} nowMs={nowMs} decide={decide} actions={may(me, "run:write") ? actionsOn(runId) : undefined} />
  );
}

const actionsOn = (runId: RunId): RunActions => ({
  steer: async (text) => void (await host.call("steerRun", { runId, text })),
  pause: async () => void (await host.call("pauseRun", { runId })),
  unpause: async () => void (await host.call("unpauseRun", { runId })),
  cancel: async () => void (await host.call("cancelRun", { runId })),
});
