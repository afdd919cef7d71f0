/** The text of a prompt that was built outside of a frame: by a function child when its task starts, or by `renderMdx`.
 *  Components are called as functions, so hooks do not work in them; inside a frame they do. */
import type { ReactElement, ReactNode } from "react";
import { SmoothError } from "@smooth/protocol/errors";
import type { z } from "zod";
import { answerSchema } from "../task/answer-schema.ts";
import { taggedText } from "./markdown.ts";
import { React } from "./react.ts";

/** On components that were made from an MDX file. Global: two copies of a module agree on it. */
const MDX = Symbol.for("smooth.mdx");

/** Gives `schema`, the JSON Schema of the task's output, to the MDX prompts among `children` that have none. */
export function withSchema(children: ReactNode, schema: z.ZodType): ReactNode {
  if (Array.isArray(children)) return children.map((child: ReactNode) => withSchema(child, schema));
  if (!React.isValidElement<{ schema?: string }>(children) || !isMdx(children.type) || "schema" in children.props)
    return children;
  const text = JSON.stringify(answerSchema(schema), null, 2);
  return React.cloneElement(children, { schema: text });
}

const isMdx = (type: unknown): boolean => typeof type === "function" && (type as { [MDX]?: boolean })[MDX] === true;

export function elementText(node: ReactNode): string {
  if (node === null || node === undefined || typeof node === "boolean") return "";
  if (typeof node === "string" || typeof node === "number" || typeof node === "bigint") return String(node);
  if (React.isValidElement<Props>(node)) return textOf(node);
  if (Symbol.iterator in node) return [...node].map(elementText).join("");
  throw new SmoothError("WORKFLOW_RENDER_FAILED", "a prompt waits for a promise; await it first");
}

interface Props {
  readonly children?: ReactNode;
}

function textOf({ type, props }: ReactElement<Props>): string {
  if (typeof type === "string") return taggedText(type, elementText(props.children), { ...props });
  if (typeof type === "function") return elementText((type as (given: Props) => ReactNode)(props));
  return elementText(props.children); // a fragment or a provider
}
