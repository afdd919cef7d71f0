/** Prompts from MDX outside of JSX, and what belongs to them. */
import type { ComponentType, ReactElement, ReactNode } from "react";
import { elementText } from "@smooth/engine/element-text";
import { MARKDOWN_TAGS } from "@smooth/engine/markdown";
import { React } from "@smooth/engine/react";

/** The text of a prompt: `renderMdx(Review, { files, components: { Callout } })`. */
// Bivariant on purpose: an .mdx import has no types of its own.
export function renderMdx<P extends object>(Prompt: ComponentType<P>, props: NoInfer<P>): string {
  return elementText(React.createElement(Prompt, props)).trim();
}

type Tag = (props: { readonly children?: ReactNode }) => ReactElement;

/** One component per tag that has a form in Markdown, for the `components` of prompts that want them by name. */
export const markdownComponents: Readonly<Record<string, Tag>> = Object.fromEntries(
  MARKDOWN_TAGS.map((tag) => [tag, (props: object) => React.createElement(tag, props)]),
);
