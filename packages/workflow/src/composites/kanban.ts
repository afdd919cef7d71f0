import type { ReactElement, ReactNode } from "react";
import { host } from "../components/host.ts";
import { Loop } from "../components/loop.ts";
import {
  knownProps,
  parallel,
  prompt,
  sequence,
  task,
  told,
  useRows,
  type AgentLike,
  type AnyTask,
  type OutputTarget,
} from "./parts.ts";

export interface ColumnDef {
  readonly name: string;
  readonly agent: AgentLike;
  readonly output: OutputTarget;
  readonly prompt?: (ctx: { readonly item: unknown; readonly column: string }) => string;
  /** Retries, timeouts and other props of the column's tasks. */
  readonly task?: Partial<Omit<AnyTask, "id" | "output" | "agent" | "children">>;
}

export interface KanbanProps {
  /** Default `kanban`. Tasks: `{id}-{column}-{item}` and `{id}-complete`. */
  readonly id?: string;
  readonly columns: readonly ColumnDef[];
  /** Called in every frame; an item that is no longer among them takes no further step. */
  readonly useTickets: () => readonly { readonly id: string }[];
  /** By column; wins over the column's own agent. */
  readonly agents?: Readonly<Record<string, AgentLike>>;
  /** Of each column. */
  readonly maxConcurrency?: number;
  /** Where to record what the board came to. */
  readonly onComplete?: OutputTarget;
  /** Default false: all iterations run. */
  readonly until?: boolean;
  /** Default 5. */
  readonly maxIterations?: number;
  readonly skipIf?: boolean;
  /** What the `onComplete` task is asked; without it the counts are recorded. */
  readonly children?: ReactNode;
}

const onlyKnown = knownProps<KanbanProps>("Kanban", {
  id: true,
  columns: true,
  useTickets: true,
  agents: true,
  maxConcurrency: true,
  onComplete: true,
  until: true,
  maxIterations: true,
  skipIf: true,
  children: true,
});

/** Items go through columns in order; a failing item holds up no other. */
export function Kanban(props: KanbanProps): ReactElement | null {
  onlyKnown(props);
  const { id = "kanban", columns, until = false, maxIterations, onComplete, children } = props;
  const items = props.useTickets();
  const rows = useRows();
  if (props.skipIf) return null;
  const board = sequence(...columns.map((_, at) => host(Column, { ...props, id, items, at, key: at })));
  const last = columns.at(-1);
  const done = items.filter((item) => last && rows.latest(last.output, taskId(id, last, item)) !== undefined);
  const counts = { total: items.length, completed: done.length, items: done.map((item) => item.id) };
  const complete =
    onComplete === undefined
      ? null
      : children !== undefined && last
        ? task({
            id: `${id}-complete`,
            output: onComplete,
            agent: props.agents?.[last.name] ?? last.agent,
            children: prompt(children, told("The board", counts)),
          })
        : task({ id: `${id}-complete`, output: onComplete, children: counts });
  return sequence(host(Loop, { id, until, ...(maxIterations !== undefined && { maxIterations }) }, board), complete);
}

const taskId = (id: string, column: ColumnDef, item: { readonly id: string }): string =>
  `${id}-${column.name}-${item.id}`;

interface ColumnProps extends KanbanProps {
  readonly items: readonly { readonly id: string }[];
  readonly at: number;
}

/** It stands inside the loop, so that it sees what the column before recorded in this pass. */
function Column(props: ColumnProps): ReactElement | null {
  const { id = "kanban", columns, at, items, maxConcurrency } = props;
  const rows = useRows();
  const column = columns[at];
  const before = columns[at - 1];
  if (!column) return null;
  const tasks = items.flatMap((item) => {
    const given = before && rows.at(before.output, taskId(id, before, item));
    if (before && given === undefined) return []; // it failed before, or is not there yet
    const written = column.prompt?.({ item, column: column.name });
    return [
      task({
        continueOnFail: true,
        ...column.task,
        id: taskId(id, column, item),
        output: column.output,
        agent: props.agents?.[column.name] ?? column.agent,
        children: prompt(written ?? `Column ${column.name}.`, told("The item", item), told("So far", given)),
      }),
    ];
  });
  return parallel({ ...(maxConcurrency !== undefined && { maxConcurrency }) }, ...tasks);
}
