"use client";
import type { HostView } from "@smooth/api/hosts";
import { Banner } from "@smooth/ui/controls";
import { ago } from "@smooth/ui/status";
import { type ReactNode, useEffect, useState, useSyncExternalStore } from "react";

/** The three ways of being cut off are told apart: this browser, the dashboard's stream, a host. */
export function ConnectionBanner({
  feed,
  hosts,
}: {
  readonly feed: string;
  readonly hosts: readonly HostView[];
}): ReactNode {
  const online = useOnline();
  const nowMs = useNow();
  if (!online) return <Banner tone="bad">You are offline. What you see may be old.</Banner>;
  if (feed === "error") return <Banner tone="bad">The dashboard does not answer. Trying again…</Banner>;
  const away = hosts.find(({ presence }) => presence.kind === "offline");
  if (away?.presence.kind !== "offline") return null;
  const since = away.presence.sinceMs === null ? "" : `, last seen ${ago(nowMs - away.presence.sinceMs)}`;
  return (
    <Banner tone="wait">
      {away.name} is offline{since}. What you ask for waits until it is back.
    </Banner>
  );
}

const subscribe = (wake: () => void): (() => void) => {
  for (const name of ["online", "offline"]) window.addEventListener(name, wake);
  return () => {
    for (const name of ["online", "offline"]) window.removeEventListener(name, wake);
  };
};
const useOnline = (): boolean =>
  useSyncExternalStore(
    subscribe,
    () => navigator.onLine,
    () => true,
  );

/** The present, to ten seconds. */
export function useNow(): number {
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), 10_000);
    return () => clearInterval(timer);
  }, []);
  return nowMs;
}
