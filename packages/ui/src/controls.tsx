import { clsx } from "clsx";
import type { ButtonHTMLAttributes, ReactNode } from "react";

/** The small parts every view is made of; none holds state, so servers draw them too. Touch targets are at least 44 px high on a phone. */

type Tone = "plain" | "accent" | "wait" | "good" | "bad";

const BUTTONS = {
  accent: "bg-accent text-on-accent border-transparent hover:opacity-90",
  plain: "bg-surface text-ink border-line hover:bg-sunken",
  bad: "bg-surface text-bad border-line hover:bg-bad-soft",
} as const;

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly tone?: keyof typeof BUTTONS;
  readonly busy?: boolean;
}

export function Button({ tone = "plain", busy = false, className, disabled, ...rest }: ButtonProps): ReactNode {
  return (
    <button
      type="button"
      {...rest}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      className={clsx(
        "inline-flex min-h-11 items-center justify-center gap-2 rounded-lg border px-4 text-sm font-medium sm:min-h-9",
        "cursor-pointer disabled:cursor-default disabled:opacity-55",
        BUTTONS[tone],
        className,
      )}
    />
  );
}

const BADGES: Readonly<Record<Tone, string>> = {
  plain: "bg-sunken text-soft",
  accent: "bg-accent-soft text-accent",
  wait: "bg-wait-soft text-wait",
  good: "bg-good-soft text-good",
  bad: "bg-bad-soft text-bad",
};

export function Badge({ tone = "plain", children }: { readonly tone?: Tone; readonly children: ReactNode }): ReactNode {
  return (
    <span
      className={clsx(
        "inline-flex items-center gap-1 rounded-md px-2 py-0.5 text-xs font-medium whitespace-nowrap",
        BADGES[tone],
      )}
    >
      {children}
    </span>
  );
}

export function Card({
  children,
  tone,
  label,
}: {
  readonly children: ReactNode;
  readonly tone?: "wait";
  readonly label?: string;
}): ReactNode {
  return (
    <section
      aria-label={label}
      className={clsx("rounded-xl border bg-surface", tone === "wait" ? "border-wait-line" : "border-line")}
    >
      {children}
    </section>
  );
}

export function SectionTitle({
  children,
  aside,
}: {
  readonly children: ReactNode;
  readonly aside?: ReactNode;
}): ReactNode {
  return (
    <div className="mb-2 flex min-h-8 items-center justify-between gap-3">
      <h2 className="text-sm font-semibold text-soft">{children}</h2>
      {aside}
    </div>
  );
}

interface FieldProps {
  readonly label: string;
  readonly hint?: string;
  readonly error?: string | undefined;
  /** Spread what it is given on the control. */
  readonly children: (field: {
    readonly id: string;
    readonly "aria-describedby": string;
    readonly "aria-invalid": boolean | undefined;
  }) => ReactNode;
}

export const INPUT =
  "w-full min-h-11 rounded-lg border border-line bg-surface px-3 py-2 text-base text-ink placeholder:text-soft aria-invalid:border-bad sm:min-h-9 sm:text-sm";

export function Field({ label, hint, error, children }: FieldProps): ReactNode {
  const id = `field-${label.toLowerCase().replaceAll(/[^a-z]+/g, "-")}`;
  const about = `${id}-about`;
  return (
    <div>
      <label htmlFor={id} className="mb-1 block text-sm font-medium">
        {label}
      </label>
      {children({ id, "aria-describedby": about, "aria-invalid": error === undefined ? undefined : true })}
      <p
        id={about}
        role={error ? "alert" : undefined}
        className={clsx("mt-1 text-sm", error ? "text-bad" : "text-soft")}
      >
        {error ?? hint}
      </p>
    </div>
  );
}

/** What it is, one action, never a blank. */
export function Empty({
  title,
  children,
  action,
}: {
  readonly title: string;
  readonly children: ReactNode;
  readonly action?: ReactNode;
}): ReactNode {
  return (
    <div className="rounded-xl border border-dashed border-line px-6 py-10 text-center">
      <p className="font-medium">{title}</p>
      <p className="mx-auto mt-1 max-w-md text-sm text-soft">{children}</p>
      {action && <div className="mt-4">{action}</div>}
    </div>
  );
}

export function ErrorNote({ children }: { readonly children: ReactNode }): ReactNode {
  return (
    <p role="alert" className="rounded-lg bg-bad-soft px-3 py-2 text-sm text-bad">
      {children}
    </p>
  );
}

/** Appears only when waiting has become noticeable. */
export function Loading({ what }: { readonly what: string }): ReactNode {
  return (
    <p role="status" className="appear-late py-8 text-center text-sm text-soft">
      Loading {what}…
    </p>
  );
}

export function Banner({
  tone,
  children,
}: {
  readonly tone: "wait" | "bad" | "accent";
  readonly children: ReactNode;
}): ReactNode {
  return (
    <div role="status" className={clsx("px-4 py-2 text-center text-sm", BADGES[tone])}>
      {children}
    </div>
  );
}
