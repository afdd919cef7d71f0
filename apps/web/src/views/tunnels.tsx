"use client";
import type { TunnelState } from "@smooth/protocol/gateway";
import type { HostId } from "@smooth/protocol/ids";
import { Button, Card, Empty, ErrorNote, Loading } from "@smooth/ui/controls";
import { TunnelCard } from "@smooth/ui/host-cards";
import { PageTitle } from "@smooth/ui/shell";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTRPC } from "~/trpc/client.tsx";
import { useMay } from "./use-may.ts";

export function Tunnels(): ReactNode {
  const trpc = useTRPC();
  const { data, error } = useQuery(trpc.tunnel.state.queryOptions());
  return (
    <>
      <PageTitle>Tunnel</PageTitle>
      {error && <ErrorNote>{error.message}</ErrorNote>}
      {!data && !error && <Loading what="tunnels" />}
      {data?.tunnels.length === 0 && (
        <Empty title="No host, no tunnel">
          Pair a host first; then its live session can be reached from your phone.
        </Empty>
      )}
      <div className="space-y-3">
        {data?.tunnels.map(({ hostId, name, tunnel }) => (
          <Card key={hostId} label={name}>
            <div className="space-y-4 p-4">
              <h2 className="font-medium">{name}</h2>
              <TunnelCard tunnel={tunnel} />
              <Actions hostId={hostId as HostId} tunnel={tunnel} />
            </div>
          </Card>
        ))}
      </div>
    </>
  );
}

function Actions({ hostId, tunnel }: { readonly hostId: HostId; readonly tunnel: TunnelState }): ReactNode {
  const trpc = useTRPC();
  const client = useQueryClient();
  const again = { onSettled: () => client.invalidateQueries() };
  const start = useMutation(trpc.tunnel.start.mutationOptions(again));
  const stop = useMutation(trpc.tunnel.stop.mutationOptions(again));
  const link = useMutation(trpc.tunnel.link.mutationOptions({ onSuccess: ({ url }) => window.location.assign(url) }));
  const may = useMay();
  const failure = start.error ?? stop.error ?? link.error;
  return (
    <div className="space-y-2">
      <div className="flex flex-wrap gap-2">
        {tunnel.kind === "serving" && (
          <Button tone="accent" busy={link.isPending} onClick={() => link.mutate({ hostId })}>
            Open live session
          </Button>
        )}
        {!may("host:admin") ? null : tunnel.kind === "off" || tunnel.kind === "refused" ? (
          <Button busy={start.isPending} onClick={() => start.mutate({ hostId })}>
            Start tunnel
          </Button>
        ) : (
          <Button tone="bad" busy={stop.isPending} onClick={() => stop.mutate({ hostId })}>
            Stop tunnel
          </Button>
        )}
      </div>
      {failure && <ErrorNote>{failure.message}</ErrorNote>}
    </div>
  );
}
