import type { Metadata } from "next";
import type { ReactNode } from "react";
import { Runs } from "~/views/runs.tsx";

export const metadata: Metadata = { title: "Runs" };

interface PageProps {
  readonly searchParams: Promise<{ show?: string }>;
}

export default async function RunsPage({ searchParams }: PageProps): Promise<ReactNode> {
  const { show } = await searchParams;
  return <Runs show={show === "active" || show === "failed" ? show : "all"} />;
}
