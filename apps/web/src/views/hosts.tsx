"use client";
import type { HostView } from "@smooth/api/hosts";
import { HostId } from "@smooth/protocol/ids";
import { ConfirmButton } from "@smooth/ui/confirm-button";
import { Badge, Button, Card, Empty, ErrorNote, Loading } from "@smooth/ui/controls";
import { SandboxLine } from "@smooth/ui/host-cards";
import { PageTitle } from "@smooth/ui/shell";
import { ago } from "@smooth/ui/status";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTRPC } from "~/trpc/client.tsx";
import { useNow } from "./connection.tsx";
import { useMay } from "./use-may.ts";

export function Hosts(): ReactNode {
  const trpc = useTRPC();
  const { data, error } = useQuery(trpc.hosts.list.queryOptions());
  const may = useMay();
  const code = useMutation(trpc.hosts.createPairingCode.mutationOptions());
  return (
    <>
      <PageTitle
        aside={
          may("host:admin") && (
            <Button busy={code.isPending} onClick={() => code.mutate()}>
              Pair a host
            </Button>
          )
        }
      >
        Hosts
      </PageTitle>
      {code.data && (
        <div className="mb-3">
          <Card label="Pairing code">
            <div className="p-4">
              <p className="text-sm text-soft">On the other machine, within 15 minutes:</p>
              <pre className="mt-2 overflow-x-auto rounded-lg bg-sunken px-3 py-2 font-mono text-sm">
                SMOOTH_DASHBOARD_URL={location.origin} SMOOTH_PAIRING_CODE={code.data.code} th up
              </pre>
            </div>
          </Card>
        </div>
      )}
      {(error ?? code.error) && <ErrorNote>{(error ?? code.error)?.message}</ErrorNote>}
      {!data && !error && <Loading what="hosts" />}
      {data?.hosts.length === 0 && (
        <Empty title="No host yet">A host is a machine of yours that runs operators. Pair one to begin.</Empty>
      )}
      <div className="space-y-3">
        {data?.hosts.map((host) => (
          <HostCard key={host.hostId} host={host} />
        ))}
      </div>
    </>
  );
}

function HostCard({ host }: { readonly host: HostView }): ReactNode {
  const trpc = useTRPC();
  const client = useQueryClient();
  const revoke = useMutation(trpc.hosts.revoke.mutationOptions({ onSettled: () => client.invalidateQueries() }));
  const may = useMay();
  const { status } = host;
  return (
    <Card label={host.name}>
      <div className="space-y-3 p-4">
        <div className="flex flex-wrap items-center gap-2">
          <h2 className="font-medium">{host.name}</h2>
          <Presence host={host} />
          {status?.demo && <Badge tone="accent">DEMO model</Badge>}
          <span className="text-sm text-soft">{host.platform}</span>
        </div>
        <SandboxLine sandbox={host.sandbox} />
        {status && (
          <p className="text-sm text-soft">
            {status.runsActive} of {status.capacity} operators at work · version {status.version}
          </p>
        )}
        {may("host:admin") && host.presence.kind !== "revoked" && (
          <ConfirmButton
            confirm={`Yes, revoke ${host.name}`}
            busy={revoke.isPending}
            onConfirm={() => revoke.mutate({ hostId: HostId.parse(host.hostId) })}
          >
            Revoke
          </ConfirmButton>
        )}
        {revoke.error && <ErrorNote>{revoke.error.message}</ErrorNote>}
      </div>
    </Card>
  );
}

function Presence({ host: { presence } }: { readonly host: HostView }): ReactNode {
  const nowMs = useNow();
  if (presence.kind === "online") return <Badge tone="good">● Online</Badge>;
  if (presence.kind === "revoked") return <Badge>✕ Revoked</Badge>;
  return (
    <Badge tone="wait">○ Offline{presence.sinceMs === null ? "" : `, seen ${ago(nowMs - presence.sinceMs)}`}</Badge>
  );
}
