import type { Metadata } from "next";
import type { ReactNode } from "react";
import { Hosts } from "~/views/hosts.tsx";

export const metadata: Metadata = { title: "Hosts" };

export default function HostsPage(): ReactNode {
  return <Hosts />;
}
