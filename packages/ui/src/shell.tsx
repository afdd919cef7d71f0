import { clsx } from "clsx";
import { CircleDot, CircleUserRound, HardDrive, House, Inbox, type LucideIcon, Radio, SquareStack } from "lucide-react";
import type { ComponentType, ReactNode } from "react";

/** The frame of every page: a side bar on a desktop, a bottom bar on a phone. */

const ICONS = {
  home: House,
  inbox: Inbox,
  pearls: SquareStack,
  runs: CircleDot,
  hosts: HardDrive,
  tunnel: Radio,
} satisfies Record<string, LucideIcon>;

export interface NavItem {
  readonly icon: keyof typeof ICONS;
  readonly label: string;
  readonly href: string;
  /** How many things wait there. */
  readonly count?: number;
}

/** Next's Link in the dashboard, a plain anchor in the live session. */
export type LinkComponent = ComponentType<{
  href: string;
  className?: string;
  "aria-current"?: "page" | undefined;
  children: ReactNode;
}>;

interface ShellProps {
  readonly items: readonly NavItem[];
  readonly current: string;
  readonly link: LinkComponent;
  readonly banner?: ReactNode;
  /** Who is signed in: under the side bar, in a menu on a phone. */
  readonly foot?: ReactNode;
  readonly children: ReactNode;
}

export function Shell({ items, current, link, banner, foot, children }: ShellProps): ReactNode {
  return (
    <div className="min-h-dvh sm:grid sm:grid-cols-[13rem_1fr]">
      <a href="#main" className="sr-only focus:not-sr-only focus:absolute focus:z-20 focus:bg-surface focus:p-3">
        Skip to content
      </a>
      <aside className="hidden border-r border-line sm:sticky sm:top-0 sm:flex sm:h-dvh sm:flex-col sm:p-3">
        <p className="px-3 pt-2 pb-4 text-lg font-semibold tracking-tight">Smooth</p>
        <nav aria-label="Main" className="flex flex-col gap-0.5">
          {items.map((item) => (
            <NavLink key={item.href} item={item} current={current} link={link} shape="row" />
          ))}
        </nav>
        <div className="mt-auto px-3 pb-2 text-sm text-soft">{foot}</div>
      </aside>
      <div className="min-w-0 pb-20 sm:pb-10">
        <header className="flex min-h-12 items-center justify-between border-b border-line bg-surface px-4 sm:hidden">
          <p className="font-semibold tracking-tight">Smooth</p>
          <details className="relative">
            <summary
              aria-label="Account"
              className="grid size-11 cursor-pointer list-none place-items-center text-soft"
            >
              <CircleUserRound aria-hidden="true" className="size-5" strokeWidth={1.75} />
            </summary>
            <div className="absolute right-0 z-20 w-60 rounded-xl border border-line bg-surface p-4 text-sm text-soft shadow-lg">
              {foot}
            </div>
          </details>
        </header>
        {banner}
        <main id="main" tabIndex={-1} className="mx-auto max-w-5xl px-4 py-4 outline-none sm:px-8 sm:py-8">
          {children}
        </main>
      </div>
      <nav
        aria-label="Main"
        className="fixed inset-x-0 bottom-0 z-10 grid auto-cols-fr grid-flow-col border-t border-line bg-surface pb-[env(safe-area-inset-bottom)] sm:hidden"
      >
        {items.map((item) => (
          <NavLink key={item.href} item={item} current={current} link={link} shape="tab" />
        ))}
      </nav>
    </div>
  );
}

interface NavLinkProps {
  readonly item: NavItem;
  readonly current: string;
  readonly link: LinkComponent;
  readonly shape: "row" | "tab";
}

function NavLink({ item, current, link: Link, shape }: NavLinkProps): ReactNode {
  const Icon = ICONS[item.icon];
  const here = item.href === "/" ? current === "/" : current.startsWith(item.href);
  return (
    <Link
      href={item.href}
      aria-current={here ? "page" : undefined}
      className={clsx(
        "relative flex items-center",
        shape === "row"
          ? "min-h-9 gap-2.5 rounded-lg px-3 text-sm"
          : "min-h-14 flex-col justify-center gap-1 text-[0.6875rem]",
        here ? "font-semibold text-accent" : "text-soft hover:text-ink",
        here && shape === "row" && "bg-accent-soft",
      )}
    >
      <Icon aria-hidden="true" className="size-[1.125rem] shrink-0" strokeWidth={1.75} />
      <span>{item.label}</span>
      {item.count ? (
        <span
          className={clsx(
            "rounded-full bg-wait-soft px-1.5 text-xs font-semibold text-wait",
            shape === "row" ? "ml-auto" : "absolute top-1.5 left-1/2 ml-2",
          )}
        >
          {item.count}
          <span className="sr-only"> waiting</span>
        </span>
      ) : null}
    </Link>
  );
}

export function PageTitle({
  children,
  aside,
}: {
  readonly children: ReactNode;
  readonly aside?: ReactNode;
}): ReactNode {
  return (
    <div className="mb-4 flex min-h-11 flex-wrap items-center justify-between gap-x-3 gap-y-1">
      <h1 className="text-xl font-semibold tracking-tight">{children}</h1>
      {aside}
    </div>
  );
}
