import { Empty } from "@smooth/ui/controls";
import type { ReactNode } from "react";
import { ButtonLink } from "~/views/button-link.tsx";

export default function NotFound(): ReactNode {
  return (
    <main className="mx-auto max-w-xl px-4 py-24">
      <h1 className="sr-only">Not found</h1>
      <Empty title="Nothing is here" action={<ButtonLink href="/">Go home</ButtonLink>}>
        The address has no page, or what it named is not in your org.
      </Empty>
    </main>
  );
}
