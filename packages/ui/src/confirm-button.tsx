import { type ReactNode, useState } from "react";
import { Button } from "./controls.tsx";

interface ConfirmButtonProps {
  readonly children: string;
  /** What the second press says, e.g. "Yes, revoke". */
  readonly confirm: string;
  readonly busy?: boolean;
  readonly onConfirm: () => void;
}

/** For what cannot be undone: the first press asks, the second does; looking away calls it off. */
export function ConfirmButton({ children, confirm, busy = false, onConfirm }: ConfirmButtonProps): ReactNode {
  const [asked, setAsked] = useState(false);
  const press = (): void => {
    setAsked(!asked);
    if (asked) onConfirm();
  };
  return (
    <Button tone="bad" busy={busy} onClick={press} onBlur={() => setAsked(false)}>
      {asked ? confirm : children}
    </Button>
  );
}
