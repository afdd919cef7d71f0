import { type MarkedToken, lexer, type Token } from "marked";
import { createElement, memo, type ReactNode, useMemo } from "react";

/** What a model or a person wrote, as Markdown.
 *  M1. Tokens become React elements, never HTML: raw HTML is shown as the text it is.
 *  M2. Nothing is fetched: an image is a link to it.
 *  M3. Links lead to http, https or mailto only, say which host they lead to, and tell it nothing about this page. */
export const Markdown = memo(function Markdown({ text }: { readonly text: string }): ReactNode {
  const tokens = useMemo(() => lexer(text), [text]);
  return <div className="max-w-prose space-y-2.5 text-sm leading-relaxed break-words">{render(tokens)}</div>;
});

/** A token has no identity but its place: the list is replaced as a whole, never reordered. */
const render = (tokens: readonly Token[] | undefined): ReactNode =>
  tokens?.map((token, at) => <Part key={at} token={token as MarkedToken} />);

function Part({ token }: { readonly token: MarkedToken }): ReactNode {
  switch (token.type) {
    case "heading":
      return createElement(`h${Math.min(6, token.depth + 2)}`, { className: "font-semibold" }, render(token.tokens));
    case "paragraph":
      return <p>{render(token.tokens)}</p>;
    case "text":
      return token.tokens ? render(token.tokens) : token.text;
    case "strong":
      return <strong className="font-semibold">{render(token.tokens)}</strong>;
    case "em":
      return <em>{render(token.tokens)}</em>;
    case "del":
      return <del>{render(token.tokens)}</del>;
    case "codespan":
      return <code className="rounded bg-sunken px-1 py-0.5 font-mono text-[0.85em]">{token.text}</code>;
    case "code":
      return (
        <pre
          tabIndex={0}
          aria-label={token.lang ? `${token.lang} code` : "code"}
          className="overflow-x-auto rounded-lg bg-sunken px-3 py-2 font-mono text-xs leading-5"
        >
          {token.text}
        </pre>
      );
    case "list":
      return <List list={token} />;
    case "list_item":
      return <li>{render(token.tokens)}</li>;
    case "checkbox":
      return token.checked ? "☑ " : "☐ ";
    case "blockquote":
      return (
        <blockquote className="space-y-2 border-l-2 border-line pl-3 text-soft">{render(token.tokens)}</blockquote>
      );
    case "table":
      return <Table table={token} />;
    case "link":
      return <SafeLink href={token.href}>{render(token.tokens)}</SafeLink>;
    case "image":
      return <SafeLink href={token.href}>{token.text || "image"}</SafeLink>; // M2
    case "hr":
      return <hr className="border-line" />;
    case "br":
      return <br />;
    case "escape":
    case "html":
      return token.text; // M1
    case "space":
    case "def":
      return null;
    default:
      return (token as Token).raw;
  }
}

type Of<T extends MarkedToken["type"]> = Extract<MarkedToken, { type: T }>;

function List({ list }: { readonly list: Of<"list"> }): ReactNode {
  const items = render(list.items);
  if (!list.ordered) return <ul className="list-disc space-y-1 pl-5">{items}</ul>;
  return (
    <ol start={list.start === "" ? 1 : list.start} className="list-decimal space-y-1 pl-5">
      {items}
    </ol>
  );
}

function Table({ table }: { readonly table: Of<"table"> }): ReactNode {
  const cell = "border border-line px-2 py-1 text-left align-top";
  return (
    <div className="overflow-x-auto" tabIndex={0} role="group" aria-label="Table">
      <table className="border-collapse text-sm">
        <thead>
          <tr>
            {table.header.map(({ tokens }, at) => (
              <th key={at} scope="col" className={`${cell} font-semibold`}>
                {render(tokens)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, at) => (
            <tr key={at}>
              {row.map(({ tokens }, column) => (
                <td key={column} className={cell}>
                  {render(tokens)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** M3. The host stands beside words that could pretend to be another one. */
function SafeLink({ href, children }: { readonly href: string; readonly children: ReactNode }): ReactNode {
  const url = URL.parse(href);
  if (!url || !["http:", "https:", "mailto:"].includes(url.protocol)) return children;
  return (
    <>
      <a
        href={url.href}
        target="_blank"
        rel="noopener noreferrer nofollow"
        className="text-accent underline underline-offset-2"
      >
        {children}
      </a>
      {url.host && children !== url.host && <span className="text-soft"> ({url.host})</span>}
    </>
  );
}
