import { RunId } from "@smooth/protocol/ids";
import { Banner, Button, Empty, ErrorNote, Loading } from "@smooth/ui/controls";
import { Shell } from "@smooth/ui/shell";
import { themeOf } from "@smooth/ui/theme";
import { ThemeButton } from "@smooth/ui/theme-button";
import { ago } from "@smooth/ui/status";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useSyncExternalStore } from "react";
import { host, isSignedOut, readLine, signOut, watchLine } from "./host.ts";
import { useNow } from "./now.ts";
import { Anchor, HomePage, InboxPage, LiveRunPage, type Me, usePendingAsks } from "./pages.tsx";
import { followLink, usePath } from "./path.ts";

/** Who you are here decides what is shown; asked again now and then, because an owner may end a session at any time. */

export function App(): ReactNode {
  const { data: me, error } = useQuery({
    queryKey: ["me"],
    queryFn: ({ signal }) => host.call("whoAmI", {}, signal),
    refetchInterval: 10_000,
  });
  if (isSignedOut(error)) return <SignedOut />;
  if (me) return <House me={me} />;
  return (
    <main className="mx-auto max-w-md px-5 py-24">
      {error ? <ErrorNote>{error.message}</ErrorNote> : <Loading what="the live session" />}
    </main>
  );
}

function House({ me }: { readonly me: Me }): ReactNode {
  const path = usePath();
  const { data: asks = [] } = usePendingAsks();
  return (
    <div onClick={followLink}>
      <Shell
        current={path}
        link={Anchor}
        banner={<LineBanner />}
        foot={
          <div className="space-y-2">
            <p className="truncate">
              {me.name} · {me.role}
            </p>
            <ThemeButton chosen={themeOf(document.documentElement.dataset["theme"])} />
            {me.via === "tunnel" && <Button onClick={() => void signOut()}>Sign out</Button>}
          </div>
        }
        items={[
          { icon: "home", label: "Home", href: "/" },
          { icon: "inbox", label: "Inbox", href: "/inbox", count: asks.length },
        ]}
      >
        <Page path={path} me={me} />
      </Shell>
    </div>
  );
}

function Page({ path, me }: { readonly path: string; readonly me: Me }): ReactNode {
  const runId = RunId.safeParse(/^\/runs\/([^/]+)$/.exec(path)?.[1]);
  if (runId.success) return <LiveRunPage key={runId.data} runId={runId.data} me={me} />;
  if (path === "/inbox") return <InboxPage me={me} />;
  if (path === "/") return <HomePage me={me} />;
  return <Empty title="Nothing is here">The live session has runs and an inbox; the rest is in the dashboard.</Empty>;
}

function LineBanner(): ReactNode {
  const line = useSyncExternalStore(watchLine, readLine);
  const nowMs = useNow();
  if (!useOnline()) return <Banner tone="bad">You are offline. What you see may be old.</Banner>;
  if (line.kind === "silent") return <Banner tone="bad">No answer. Trying again…</Banner>;
  if (line.kind === "host-away") {
    return (
      <Banner tone="wait">The host went offline, {ago(nowMs - line.sinceMs)}. This page comes back by itself.</Banner>
    );
  }
  return null;
}

const watchNetwork = (wake: () => void): (() => void) => {
  for (const name of ["online", "offline"]) window.addEventListener(name, wake);
  return () => {
    for (const name of ["online", "offline"]) window.removeEventListener(name, wake);
  };
};
const useOnline = (): boolean => useSyncExternalStore(watchNetwork, () => navigator.onLine);

function SignedOut(): ReactNode {
  return (
    <main className="mx-auto flex min-h-dvh max-w-md flex-col justify-center gap-4 px-5">
      <h1 className="text-xl font-semibold tracking-tight">You are not signed in here</h1>
      <p className="text-soft">This is the live session of somebody’s machine. A link lets one person in, once.</p>
      <ul className="space-y-3 text-sm">
        <li>
          <strong className="font-medium">You have a dashboard account:</strong> open Tunnel there and press “Open live
          session”.
        </li>
        <li>
          <strong className="font-medium">You sit at the machine:</strong> run{" "}
          <code className="rounded bg-sunken px-1.5 py-0.5 font-mono">th share create</code> and open the link it
          prints.
        </li>
        <li>
          <strong className="font-medium">Somebody invited you:</strong> their link was used already or has ended; ask
          for a new one.
        </li>
      </ul>
    </main>
  );
}
