/** From an .mdx prompt to a module in JSX. Unlike MDX for web pages, the Markdown stays text, byte for byte: an agent reads what was written.
 *  M1. Only `{expressions}`, components, imports and exports are code; escapes (`\{`, `\<`) lose their backslash.
 *  M2. Imports, exports and comments leave no empty lines behind; the whole text is trimmed.
 *  M3. Lower-case tags are text, too; their `{attributes}` are evaluated. */
import { createRequire } from "node:module";
import type { createProcessor } from "@mdx-js/mdx";
import { SmoothError } from "@smooth/protocol/errors";

type Mdx = { readonly createProcessor: typeof createProcessor };
// Loaded with the first prompt: workflows without any do not pay for it.
const mdx = (): Mdx => createRequire(import.meta.url)("@mdx-js/mdx") as Mdx;

interface Node {
  readonly type: string;
  readonly name?: string | null;
  readonly value?: string;
  readonly children?: readonly Node[];
  readonly attributes?: readonly Attribute[];
  readonly data?: { readonly estree?: Program };
  readonly position?: { readonly start: { readonly offset: number }; readonly end: { readonly offset: number } };
}
interface Attribute extends Node {
  readonly value?: string & { readonly value?: string };
}
interface Program {
  readonly body: readonly Statement[];
}
interface Statement {
  readonly type: string;
  readonly specifiers?: readonly { readonly local?: { readonly name?: string } }[];
  readonly declaration?: { readonly id?: Named; readonly declarations?: readonly { readonly id?: Named }[] } | null;
}
interface Named {
  readonly name?: string;
}

/** Throws INVALID_INPUT with what the parser says, and where. */
export function mdxToJsx(source: string, file: string): string {
  try {
    return jsxOf(source, file);
  } catch (cause) {
    const { line, column, message } = cause as { line?: number; column?: number; message: string };
    const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`;
    throw new SmoothError("INVALID_INPUT", `${place}: ${message}`, { cause });
  }
}

function jsxOf(source: string, file: string): string {
  const tree = mdx().createProcessor({ format: "mdx" }).parse(source) as unknown as Node;
  const writer = new Writer(source);
  const body = writer.children(tree, { from: 0, to: source.length });
  const names = [...writer.used].filter((name) => !writer.defined.has(name));
  const missing = names.map((name) => `${name} = missing(${JSON.stringify(name)})`).join(", ");
  return `${writer.esm.join("\n")}
function missing(name) { return () => { throw new Error(${JSON.stringify(file)} + " uses <" + name + ">; import it, or pass it in \`components\`"); }; }
export default function MDXContent(props) {
  ${names.length > 0 ? `const { ${missing} } = props.components ?? {};` : ""}
  return <>${trimmed(body).map(asJsx).join("")}</>;
}
MDXContent[Symbol.for("smooth.mdx")] = true;
`;
}

type Piece = { readonly kind: "text"; readonly text: string } | { readonly kind: "code"; readonly code: string };

const asJsx = (piece: Piece): string => (piece.kind === "code" ? piece.code : `{${JSON.stringify(piece.text)}}`);

/** M2 */
function trimmed(pieces: readonly Piece[]): Piece[] {
  const out = [...pieces];
  const first = out[0];
  if (first?.kind === "text") out[0] = { kind: "text", text: first.text.trimStart() };
  const last = out.at(-1);
  if (last?.kind === "text") out[out.length - 1] = { kind: "text", text: last.text.trimEnd() };
  return out;
}

interface Range {
  readonly from: number;
  readonly to: number;
}

class Writer {
  readonly #source: string;
  readonly esm: string[] = [];
  readonly used = new Set<string>();
  readonly defined = new Set<string>();

  constructor(source: string) {
    this.#source = source;
  }

  /** The pieces of everything between two places, given the nodes that lie there. */
  children(node: Node, { from, to }: Range): Piece[] {
    const out: Piece[] = [];
    let at = from;
    const copy = (until: number): void => {
      if (until > at) out.push({ kind: "text", text: this.#source.slice(at, until) });
      at = Math.max(at, until);
    };
    const visit = (child: Node): void => {
      const { start, end } = range(child);
      const written = this.#written(child);
      if (written === null) return child.children?.forEach(visit);
      copy(start);
      out.push(...written);
      at = end;
      if (written.length === 0) at += /^[ \t]*(?:\n\s*)?/.exec(this.#source.slice(end))?.[0].length ?? 0; // M2
    };
    node.children?.forEach(visit);
    copy(to);
    return out;
  }

  /** Null: plain Markdown, whose children may hold more. */
  #written(node: Node): Piece[] | null {
    const { start, end } = range(node);
    const source = this.#source.slice(start, end);
    switch (node.type) {
      case "mdxjsEsm":
        this.#define(node, source);
        return [];
      case "mdxFlowExpression":
      case "mdxTextExpression":
        return node.data?.estree?.body.length === 0 ? [] : [{ kind: "code", code: source }];
      case "mdxJsxFlowElement":
      case "mdxJsxTextElement":
        return /^[a-z]/.test(node.name ?? "") ? this.#tag(node) : this.#component(node);
      case "text":
        return [{ kind: "text", text: source.replaceAll(/\\([{}<])/g, "$1") }]; // M1
      default:
        return null;
    }
  }

  #define(node: Node, source: string): void {
    this.esm.push(source);
    for (const { type, specifiers = [], declaration } of node.data?.estree?.body ?? []) {
      if (type === "ExportDefaultDeclaration")
        throw new Error("a prompt exports its text by default; remove `export default`");
      const declared = [declaration?.id, ...(declaration?.declarations ?? []).map(({ id }) => id)];
      for (const name of [...specifiers.map(({ local }) => local?.name), ...declared.map((id) => id?.name)])
        if (name !== undefined) this.defined.add(name);
    }
  }

  #component(node: Node): Piece[] {
    const name = node.name ?? "";
    if (name !== "") this.used.add(name.split(".")[0] ?? name);
    const attributes = (node.attributes ?? []).map((attribute) => {
      const { start, end } = range(attribute);
      return ` ${this.#source.slice(start, end)}`;
    });
    const open = `<${name}${attributes.join("")}>`;
    const inner = trimmed(this.children(node, inside(node)));
    return [{ kind: "code", code: `${open}${inner.map(asJsx).join("")}</${name}>` }];
  }

  /** M3 */
  #tag(node: Node): Piece[] {
    const { start, end } = range(node);
    const { from, to } = inside(node);
    const evaluated = (node.attributes ?? []).filter(({ value }) => typeof value === "object");
    const open = this.#opening(evaluated, { from: start, to: from === to ? end : from });
    if (from === to) return open;
    return [...open, ...this.children(node, { from, to }), { kind: "text", text: this.#source.slice(to, end) }];
  }

  #opening(evaluated: readonly Attribute[], { from, to }: Range): Piece[] {
    let at = from;
    const out: Piece[] = [];
    for (const attribute of evaluated) {
      const { start, end } = range(attribute);
      out.push({ kind: "text", text: `${this.#source.slice(at, start)}${attribute.name ?? ""}="` });
      out.push({ kind: "code", code: `{${attribute.value?.value ?? ""}}` }, { kind: "text", text: '"' });
      at = end;
    }
    return [...out, { kind: "text", text: this.#source.slice(at, to) }];
  }
}

function range({ position }: Node): { readonly start: number; readonly end: number } {
  return { start: position?.start.offset ?? 0, end: position?.end.offset ?? 0 };
}

/** From the first child to the last. */
function inside({ children = [] }: Node): Range {
  const [first, last] = [children[0], children.at(-1)];
  return first && last ? { from: range(first).start, to: range(last).end } : { from: 0, to: 0 };
}
