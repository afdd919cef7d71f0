import { type MouseEvent, useSyncExternalStore } from "react";

/** Where we are is the URL, and nothing else. */

const MOVED = "smooth:moved";

const subscribe = (wake: () => void): (() => void) => {
  for (const name of ["popstate", MOVED]) window.addEventListener(name, wake);
  return () => {
    for (const name of ["popstate", MOVED]) window.removeEventListener(name, wake);
  };
};

export const usePath = (): string => useSyncExternalStore(subscribe, () => location.pathname);

/** Plain links inside the page move without loading it again. */
export function followLink(event: MouseEvent): void {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  const ours = link?.origin === location.origin && link.hash === "" && link.target === "";
  if (!ours || event.defaultPrevented || event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  window.dispatchEvent(new Event(MOVED));
  window.scrollTo(0, 0);
}
