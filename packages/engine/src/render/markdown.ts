/** Prompts written as elements: their text, in order. Text stays as it is; the tags of Markdown become Markdown, other tags vanish. */
import type { HostNode } from "./renderer.ts";

type Props = Readonly<Record<string, unknown>>;

const heading =
  (level: number) =>
  (inner: string): string =>
    `${"#".repeat(level)} ${inner}\n\n`;
const indented = (inner: string): string => inner.trimEnd().replaceAll("\n", "\n  ");
const fenced = (inner: string): string => `\`\`\`\n${inner.replace(/\n$/, "")}\n\`\`\`\n\n`;

const TAGS: Readonly<Record<string, (inner: string, props: Props) => string>> = {
  h1: heading(1),
  h2: heading(2),
  h3: heading(3),
  h4: heading(4),
  h5: heading(5),
  h6: heading(6),
  p: (inner) => `${inner}\n\n`,
  strong: (inner) => `**${inner}**`,
  b: (inner) => `**${inner}**`,
  em: (inner) => `_${inner}_`,
  i: (inner) => `_${inner}_`,
  code: (inner) => `\`${inner}\``,
  pre: fenced,
  blockquote: (inner) => `${inner.trim().replaceAll(/^/gm, "> ")}\n\n`,
  ul: (inner) => `${inner}\n`,
  ol: (inner) => `${inner}\n`,
  li: (inner) => `- ${indented(inner)}\n`,
  a: (inner, { href }) => (typeof href === "string" ? `[${inner}](${href})` : inner),
  br: () => "\n",
  hr: () => "---\n\n",
};

/** The tags that have a form in Markdown. */
export const MARKDOWN_TAGS: readonly string[] = Object.keys(TAGS);

export const taggedText = (tag: string, inner: string, props: Props): string => TAGS[tag]?.(inner, props) ?? inner;

export const promptText = (nodes: readonly HostNode[]): string =>
  nodes
    .map((node) => (node.kind === "text" ? node.text : taggedText(node.tag, promptText(node.children), node.props)))
    .join("");
