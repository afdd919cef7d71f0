import type { Metadata } from "next";
import type { ReactNode } from "react";
import { Inbox } from "~/views/inbox.tsx";

export const metadata: Metadata = { title: "Inbox" };

interface PageProps {
  readonly searchParams: Promise<{ show?: string }>;
}

export default async function InboxPage({ searchParams }: PageProps): Promise<ReactNode> {
  return <Inbox show={(await searchParams).show === "all" ? "all" : "pending"} />;
}
