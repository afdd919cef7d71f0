import type { AskChoice, AskDecision } from "@smooth/protocol/asks";
import { ArrowDown, ArrowUp } from "lucide-react";
import { type ReactNode, useId } from "react";
import { Button } from "./controls.tsx";

/** What a yes says beside itself: one option of several, or the order of all of them. */
export type Chosen = Pick<Extract<AskDecision, { verdict: "approve" }>, "selected" | "ranked">;

/** Nothing to choose is chosen at once, and so is the order as it was offered; one of several never is (null). */
export function chosenAtFirst(choice: AskChoice | undefined): Chosen | null {
  if (choice === undefined) return {};
  return choice.mode === "rank" ? { ranked: choice.options.map(({ key }) => key) } : null;
}

interface ChoiceProps {
  readonly choice: AskChoice;
  readonly chosen: Chosen | null;
  readonly choose: (chosen: Chosen) => void;
}

export const Choice = ({ choice, chosen, choose }: ChoiceProps): ReactNode =>
  choice.mode === "select" ? (
    <OneOf options={choice.options} selected={chosen?.selected} choose={(selected) => choose({ selected })} />
  ) : (
    <Order options={choice.options} ranked={chosen?.ranked ?? []} choose={(ranked) => choose({ ranked })} />
  );

type Option = AskChoice["options"][number];

interface OneOfProps {
  readonly options: readonly Option[];
  readonly selected: string | undefined;
  readonly choose: (key: string) => void;
}

function OneOf({ options, selected, choose }: OneOfProps): ReactNode {
  const name = useId();
  return (
    <fieldset className="space-y-2">
      <legend className="mb-1.5 text-sm text-soft">Choose one</legend>
      {options.map((option) => (
        <label
          key={option.key}
          className="flex min-h-11 cursor-pointer items-center gap-3 rounded-lg border border-line bg-surface px-3 py-2 has-checked:border-accent"
        >
          <input
            type="radio"
            className="size-4 accent-accent"
            name={name}
            checked={option.key === selected}
            onChange={() => choose(option.key)}
          />
          <Words option={option} />
        </label>
      ))}
    </fieldset>
  );
}

interface OrderProps {
  readonly options: readonly Option[];
  readonly ranked: readonly string[];
  readonly choose: (keys: string[]) => void;
}

function Order({ options, ranked, choose }: OrderProps): ReactNode {
  const swapped = (at: number): string[] =>
    ranked.map((key, place) => (place === at ? ranked[at + 1] : place === at + 1 ? ranked[at] : key) ?? key);
  return (
    <fieldset>
      <legend className="mb-1.5 text-sm text-soft">Put the best first</legend>
      <ol className="space-y-2">
        {ranked.map((key, at) => {
          const option = options.find((one) => one.key === key) ?? { key, label: key };
          return (
            <li
              key={key}
              className="flex items-center gap-2 rounded-lg border border-line bg-surface py-1.5 pr-1.5 pl-3"
            >
              <span className="w-5 text-sm text-soft tabular-nums">{at + 1}</span>
              <Words option={option} />
              <Button
                aria-label={`Move ${option.label} up`}
                disabled={at === 0}
                onClick={() => choose(swapped(at - 1))}
              >
                <ArrowUp aria-hidden size={16} />
              </Button>
              <Button
                aria-label={`Move ${option.label} down`}
                disabled={at === ranked.length - 1}
                onClick={() => choose(swapped(at))}
              >
                <ArrowDown aria-hidden size={16} />
              </Button>
            </li>
          );
        })}
      </ol>
    </fieldset>
  );
}

const Words = ({ option }: { readonly option: Option }): ReactNode => (
  <span className="min-w-0 flex-1 break-words">
    {option.label}
    {option.summary && <span className="block text-sm text-soft">{option.summary}</span>}
  </span>
);
