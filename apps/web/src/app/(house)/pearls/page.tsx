import type { Metadata } from "next";
import type { ReactNode } from "react";
import { Pearls } from "~/views/pearls.tsx";

export const metadata: Metadata = { title: "Pearls" };

interface PageProps {
  readonly searchParams: Promise<{ show?: string; text?: string }>;
}

export default async function PearlsPage({ searchParams }: PageProps): Promise<ReactNode> {
  const { show, text } = await searchParams;
  return <Pearls show={show === "ready" || show === "closed" ? show : "all"} text={text?.trim().slice(0, 200) ?? ""} />;
}
