import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { Markdown } from "./markdown.tsx";

const html = (text: string): string => renderToStaticMarkup(<Markdown text={text} />);

test.each([
  "<img src=x onerror=alert(1)>",
  "<script>alert(1)</script>",
  "text <b onclick=alert(1)>bold</b>",
  "<iframe src=//evil.example></iframe>",
  "<style>*{display:none}</style>",
])("M1: raw HTML is shown as the text it is: %s", (text) => {
  expect(html(text)).not.toMatch(/<(?:img|script|b|iframe|style)[ >]/);
  expect(html(text)).toContain("&lt;");
});

test("M2: an image is a link, so nothing is fetched", () => {
  const markup = html("![a pixel](https://evil.example/p.png?secret=1)");

  expect(markup).not.toContain("<img");
  expect(markup).toContain(">a pixel</a>");
  expect(markup).toContain("(evil.example)");
});

test.each([
  "javascript:alert(1)",
  "data:text/html,x",
  "vbscript:x",
  "file:///etc/passwd",
  "//evil.example",
  "relative",
])("M3: a link to %s is only its words", (href) => {
  expect(html(`[click](${href})`)).toContain("click");
  expect(html(`[click](${href})`)).not.toContain("<a ");
});

test("M3: a link says which host it leads to and tells it nothing", () => {
  const markup = html("[your bank](https://evil.example/login)");

  expect(markup).toContain("(evil.example)");
  expect(markup).toContain('rel="noopener noreferrer nofollow"');
});

test("what people write is drawn: lists, tables, code, quotes, half-finished streams", () => {
  const markup = html("# Plan\n1. one\n2. `two`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> quote\n\n```ts\nconst x = 1;");

  for (const part of ["<h3", "<ol", "<li>one</li>", "<table", "<blockquote", "const x = 1;"]) {
    expect(markup).toContain(part);
  }
});
