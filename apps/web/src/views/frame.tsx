"use client";
import { Button } from "@smooth/ui/controls";
import { type LinkComponent, Shell } from "@smooth/ui/shell";
import type { Theme } from "@smooth/ui/theme";
import { ThemeButton } from "@smooth/ui/theme-button";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useSubscription } from "@trpc/tanstack-react-query";
import NextLink from "next/link";
import { usePathname } from "next/navigation";
import type { ReactNode } from "react";
import { useTRPC } from "~/trpc/client.tsx";
import { ConnectionBanner } from "./connection.tsx";

export const Link: LinkComponent = ({ href, children, ...rest }) => (
  <NextLink href={href} {...rest}>
    {children}
  </NextLink>
);

interface FrameProps {
  readonly who: string;
  readonly theme: Theme;
  readonly signOut: () => Promise<void>;
  readonly children: ReactNode;
}

/** The shell with live counts; any change in the org refreshes what is on screen. */
export function Frame({ who, theme, signOut, children }: FrameProps): ReactNode {
  const trpc = useTRPC();
  const client = useQueryClient();
  const current = usePathname();
  const { data } = useQuery(trpc.home.summary.queryOptions());
  const changes = useSubscription(
    trpc.home.changes.subscriptionOptions(undefined, { onData: () => void client.invalidateQueries() }),
  );
  const waiting = data?.asks.length ?? 0;
  return (
    <Shell
      current={current}
      link={Link}
      banner={<ConnectionBanner feed={changes.status} hosts={data?.hosts ?? []} />}
      foot={
        <form action={signOut} className="space-y-2">
          <p className="truncate" title={who}>
            {who}
          </p>
          <ThemeButton chosen={theme} />
          <Button type="submit">Sign out</Button>
        </form>
      }
      items={[
        { icon: "home", label: "Home", href: "/" },
        { icon: "inbox", label: "Inbox", href: "/inbox", count: waiting },
        { icon: "pearls", label: "Pearls", href: "/pearls" },
        { icon: "runs", label: "Runs", href: "/runs" },
        { icon: "hosts", label: "Hosts", href: "/hosts" },
        { icon: "tunnel", label: "Tunnel", href: "/tunnel" },
      ]}
    >
      {children}
    </Shell>
  );
}
