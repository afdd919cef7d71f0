import type { Metadata } from "next";
import type { ReactNode } from "react";
import { NewPearlForm } from "~/views/new-pearl.tsx";

export const metadata: Metadata = { title: "New pearl" };

export default function NewPearlPage(): ReactNode {
  return <NewPearlForm />;
}
