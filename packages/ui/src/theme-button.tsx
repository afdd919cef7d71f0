import { Moon, Sun, SunMoon } from "lucide-react";
import { type ReactNode, useState } from "react";
import { type Theme, THEME_COOKIE } from "./theme.ts";

/** Follows the system until somebody chooses. */

const NEXT = { system: "light", light: "dark", dark: "system" } as const;
const ICONS = { system: SunMoon, light: Sun, dark: Moon };
const YEAR_S = 31_536_000;

export function ThemeButton({ chosen }: { readonly chosen: Theme }): ReactNode {
  const [theme, setTheme] = useState(chosen);
  const Icon = ICONS[theme];
  const choose = (): void => {
    const next = NEXT[theme];
    setTheme(next);
    document.documentElement.dataset["theme"] = next;
    document.cookie = `${THEME_COOKIE}=${next}; path=/; max-age=${YEAR_S}; samesite=lax`;
  };
  return (
    <button
      type="button"
      onClick={choose}
      className="inline-flex min-h-11 cursor-pointer items-center gap-2 rounded-lg text-sm text-soft hover:text-ink sm:min-h-9"
    >
      <Icon aria-hidden="true" className="size-4" strokeWidth={1.75} />
      Theme: {theme}
    </button>
  );
}
