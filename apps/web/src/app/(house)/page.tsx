import type { ReactNode } from "react";
import { Home } from "~/views/home.tsx";

export default function HomePage(): ReactNode {
  return <Home />;
}
