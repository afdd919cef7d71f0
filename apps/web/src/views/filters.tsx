import NextLink from "next/link";
import type { ReactNode } from "react";

interface FiltersProps {
  readonly path: string;
  readonly name: string;
  readonly current: string;
  readonly options: readonly (readonly [value: string, label: string])[];
}

/** A filter is a link: it lives in the URL. */
export function Filters({ path, name, current, options }: FiltersProps): ReactNode {
  return (
    <nav aria-label="Filter" className="flex gap-1">
      {options.map(([value, label]) => (
        <NextLink
          key={value}
          href={`${path}?${name}=${value}`}
          aria-current={value === current ? "true" : undefined}
          className={`inline-flex min-h-11 items-center rounded-lg px-3 text-sm sm:min-h-9 ${value === current ? "bg-accent-soft font-medium text-accent" : "text-soft"}`}
        >
          {label}
        </NextLink>
      ))}
    </nav>
  );
}
