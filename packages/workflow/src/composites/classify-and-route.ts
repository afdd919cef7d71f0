import type { ReactElement, ReactNode } from "react";
import {
  knownProps,
  list,
  nodeIds,
  parallel,
  prompt,
  sequence,
  task,
  told,
  useRows,
  type AgentLike,
  type OutputTarget,
} from "./parts.ts";

export interface CategoryConfig {
  readonly agent: AgentLike;
  /** Default `routeOutput`. */
  readonly output?: OutputTarget;
  readonly prompt?: (item: unknown) => string;
}

interface Classified {
  readonly category: string;
  readonly itemId?: string;
}

export interface ClassifyAndRouteProps {
  /** Default `classify-and-route`. Tasks: `{id}-classify`, `{id}-route-{item}` (an item of two categories: `-2` for the second). */
  readonly id?: string;
  readonly items: unknown;
  readonly categories: Readonly<Record<string, CategoryConfig | AgentLike>>;
  readonly classifierAgent: AgentLike;
  /** With `classifications: [{ category, itemId? }]`; without itemId they go by position. */
  readonly classifierOutput: OutputTarget;
  readonly routeOutput: OutputTarget;
  /** Instead of the recorded row. */
  readonly classificationResult?: { readonly classifications: readonly Classified[] } | null;
  readonly maxConcurrency?: number;
  readonly skipIf?: boolean;
  /** What the classifier is asked. */
  readonly children?: ReactNode;
}

const onlyKnown = knownProps<ClassifyAndRouteProps>("ClassifyAndRoute", {
  id: true,
  items: true,
  categories: true,
  classifierAgent: true,
  classifierOutput: true,
  routeOutput: true,
  classificationResult: true,
  maxConcurrency: true,
  skipIf: true,
  children: true,
});

/** One agent sorts the items, then each goes to the agent of its category. A category nobody declared routes nothing. */
export function ClassifyAndRoute(props: ClassifyAndRouteProps): ReactElement | null {
  onlyKnown(props);
  const { id = "classify-and-route", categories, classifierOutput, maxConcurrency } = props;
  const rows = useRows();
  if (props.skipIf) return null;
  const items = list(props.items);
  const classify = task({
    id: `${id}-classify`,
    output: classifierOutput,
    agent: props.classifierAgent,
    children: prompt(
      props.children ?? `Put each item into one of: ${Object.keys(categories).join(", ")}.`,
      told("The items", items),
    ),
  });
  const result = props.classificationResult ?? rows.at(classifierOutput, `${id}-classify`);
  const classified = list(result?.["classifications"] ?? []) as readonly Classified[];
  const ids = nodeIds(classified.map(({ itemId }, at) => `${id}-route-${itemId ?? at}`));
  const routes = classified.flatMap(({ category, itemId }, at) => {
    const config = Object.hasOwn(categories, category) ? categories[category] : undefined;
    const item = itemId === undefined ? items[at] : items.find((candidate) => idOf(candidate) === itemId);
    return config && item !== undefined ? [route({ props, id: ids[at] ?? "", category, item })] : [];
  });
  return sequence(classify, parallel({ ...(maxConcurrency !== undefined && { maxConcurrency }) }, ...routes));
}

const idOf = (item: unknown): unknown => (typeof item === "object" && item !== null && "id" in item ? item.id : item);

interface Route {
  readonly props: ClassifyAndRouteProps;
  readonly id: string;
  readonly category: string;
  readonly item: unknown;
}

function route({ props, id, category, item }: Route): ReactElement {
  const given = props.categories[category];
  const config: CategoryConfig = given && "generate" in given ? { agent: given } : (given as CategoryConfig);
  return task({
    id,
    label: category,
    output: config.output ?? props.routeOutput,
    agent: config.agent,
    continueOnFail: true,
    children: config.prompt?.(item) ?? prompt(undefined, told(`An item of category ${category}`, item)),
  });
}
