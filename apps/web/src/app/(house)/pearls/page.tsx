import type { Metadata } from "next";
import type { ReactNode } from "react";
import { Pearls } from "~/views/pearls.tsx";

export const metadata: Metadata = { title: "Pearls" };

interface PageProps {
  readonly searchParams: Promise<{ show?: string }>;
}

export default async function PearlsPage({ searchParams }: PageProps): Promise<ReactNode> {
  const { show } = await searchParams;
  return <Pearls show={show === "ready" || show === "closed" ? show : "all"} />;
}
