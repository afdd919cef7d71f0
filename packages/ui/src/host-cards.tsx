import { assertNever } from "@smooth/protocol/errors";
import type { SandboxState, TunnelState } from "@smooth/protocol/gateway";
import { QRCodeSVG } from "qrcode.react";
import type { ReactNode } from "react";
import { Badge, ErrorNote } from "./controls.tsx";
import { isVm, LEVELS } from "./status.tsx";

/** The two things about a host that people look at: can it run operators, and can a phone reach it. */

export function SandboxLine({ sandbox }: { readonly sandbox: SandboxState | null }): ReactNode {
  if (!sandbox) return <Badge>sandbox unknown</Badge>;
  switch (sandbox.kind) {
    case "ready":
      return (
        <Badge tone={isVm(sandbox.level) ? "good" : "bad"}>
          {isVm(sandbox.level) ? "✓" : "▲"} {LEVELS[sandbox.level]}
        </Badge>
      );
    case "preparing":
      return (
        <div className="space-y-1">
          <p className="text-sm text-soft">
            Preparing the VM image: {sandbox.phase}, {Math.round(sandbox.percent)} %
          </p>
          <progress max={100} value={sandbox.percent} aria-label="VM image" className="h-1.5 w-full accent-accent" />
        </div>
      );
    case "unavailable":
      return (
        <ErrorNote>
          No sandbox is usable: {sandbox.reasons.join("; ")}.
          {sandbox.fixes.length > 0 && <> Try: {sandbox.fixes.join("; ")}</>}
        </ErrorNote>
      );
    default:
      return assertNever(sandbox);
  }
}

export function TunnelCard({ tunnel }: { readonly tunnel: TunnelState }): ReactNode {
  switch (tunnel.kind) {
    case "off":
      return (
        <p className="text-sm text-soft">The tunnel is off. Nobody outside this machine can reach the live session.</p>
      );
    case "dialling":
      return <p className="text-sm text-soft">Connecting to the rendezvous as {tunnel.slug}…</p>;
    case "refused":
      return (
        <ErrorNote>
          The rendezvous refused {tunnel.slug}: {tunnel.reason}
        </ErrorNote>
      );
    case "serving":
      return (
        <div className="grid gap-4 sm:grid-cols-[auto_1fr] sm:items-center">
          <div className="w-fit rounded-lg bg-white p-3">
            <QRCodeSVG value={tunnel.url} size={148} title={`QR code of ${tunnel.url}`} />
          </div>
          <div className="space-y-2">
            <a href={tunnel.url} className="font-mono text-sm break-all text-accent underline underline-offset-2">
              {tunnel.url}
            </a>
            <p className="text-sm text-soft">
              {tunnel.viewers === 1 ? "1 person is watching" : `${tunnel.viewers} people are watching`}
            </p>
            <p className="text-sm text-soft">Whoever opens it signs in first: the tunnel adds reach, never rights.</p>
          </div>
        </div>
      );
    default:
      return assertNever(tunnel);
  }
}
