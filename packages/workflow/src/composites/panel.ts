import type { ReactElement, ReactNode } from "react";
import {
  knownProps,
  parallel,
  prompt,
  sequence,
  task,
  told,
  useRows,
  type AgentLike,
  type LooseRow,
  type OutputTarget,
} from "./parts.ts";

export interface PanelistConfig {
  readonly agent: AgentLike;
  readonly role?: string;
  readonly label?: string;
}

export interface PanelProps {
  /** Default `panel`. Tasks: `{id}-{label, role or panelist-N}` and `{id}-moderator`. */
  readonly id?: string;
  readonly panelists: readonly (PanelistConfig | AgentLike)[];
  /** Makes one result of all (`synthesize`); for the other strategies, asked only when the votes do not decide. */
  readonly moderator: AgentLike;
  /** For `vote` and `consensus`: with `vote: string` or `approved: boolean`. */
  readonly panelistOutput: OutputTarget;
  /** A counted decision records `{ decision, approved, reached, agree, total, votes, summary }`; the schema takes what it knows. */
  readonly moderatorOutput: OutputTarget;
  /** Default `synthesize`. `vote`: the choice with the most votes; `consensus`: all of them. */
  readonly strategy?: "synthesize" | "vote" | "consensus";
  /** How many must agree; default: more than half for `vote`, all for `consensus`. */
  readonly minAgree?: number;
  readonly maxConcurrency?: number;
  readonly skipIf?: boolean;
  /** Put to every panelist. */
  readonly children: ReactNode;
}

const onlyKnown = knownProps<PanelProps>("Panel", {
  id: true,
  panelists: true,
  moderator: true,
  panelistOutput: true,
  moderatorOutput: true,
  strategy: true,
  minAgree: true,
  maxConcurrency: true,
  skipIf: true,
  children: true,
});

/** Several look at the same thing at once; then votes are counted, or a moderator makes one result of what they said. */
export function Panel(props: PanelProps): ReactElement | null {
  onlyKnown(props);
  const { id = "panel", panelistOutput, strategy = "synthesize", maxConcurrency, children } = props;
  const rows = useRows();
  if (props.skipIf) return null;
  const members = props.panelists.map((given, at) => member(given, `panelist-${at + 1}`));
  const panelists = members.map(({ name, agent, role }) =>
    task({
      id: `${id}-${name}`,
      label: name,
      output: panelistOutput,
      agent,
      children: prompt(children, role !== undefined && `\n\nYour role: ${role}.`),
    }),
  );
  const said = Object.fromEntries(members.map(({ name }) => [name, rows.at(panelistOutput, `${id}-${name}`)]));
  const total = members.length;
  const most = Math.floor(total / 2) + 1;
  const tally = count(Object.values(said), props.minAgree ?? (strategy === "consensus" ? total : most));
  const common = { id: `${id}-moderator`, output: props.moderatorOutput };
  const counted = strategy !== "synthesize" && tally.reached;
  const close = counted
    ? task({ ...common, children: tally })
    : task({
        ...common,
        agent: props.moderator,
        children: prompt(
          children,
          told("What the panel said", said),
          strategy !== "synthesize" && told("The votes, which do not decide", tally),
        ),
      });
  return sequence(parallel({ ...(maxConcurrency !== undefined && { maxConcurrency }) }, ...panelists), close);
}

function member(given: PanelistConfig | AgentLike, fallback: string) {
  const { agent, role, label }: PanelistConfig = "generate" in given ? { agent: given } : given;
  return { name: label ?? role ?? fallback, agent, role };
}

/** K1. The choice with the most votes, and whether enough agree on it. A tie is no agreement. */
function count(said: readonly (LooseRow | undefined)[], needed: number) {
  const counted = new Map<string, number>();
  for (const row of said) {
    const vote = row?.["vote"] ?? row?.["approved"];
    if (vote !== undefined) counted.set(String(vote), (counted.get(String(vote)) ?? 0) + 1);
  }
  const [first, second] = [...counted].toSorted(([, a], [, b]) => b - a);
  const votes = Object.fromEntries(counted);
  const agree = first?.[1] ?? 0;
  const reached = agree >= needed && agree > (second?.[1] ?? 0);
  const decision = first?.[0] ?? "";
  const summary = `${agree} of ${said.length} say ${decision || "nothing"}; ${needed} needed`;
  return { decision, approved: reached && decision === "true", reached, agree, total: said.length, votes, summary };
}
