import type { Metadata } from "next";
import type { ReactNode } from "react";
import { Tunnels } from "~/views/tunnels.tsx";

export const metadata: Metadata = { title: "Tunnel" };

export default function TunnelPage(): ReactNode {
  return <Tunnels />;
}
