import NextLink from "next/link";
import type { ReactNode } from "react";

/** Goes somewhere; looks like the action it stands for. */
export function ButtonLink({ href, children }: { readonly href: string; readonly children: ReactNode }): ReactNode {
  return (
    <NextLink
      href={href}
      className="inline-flex min-h-11 items-center rounded-lg bg-accent px-4 text-sm font-medium text-on-accent hover:opacity-90 sm:min-h-9"
    >
      {children}
    </NextLink>
  );
}
