import type { EdgeErrorCode } from "@smooth/protocol/thp";

/** What the edge says itself: one small page or JSON per error, with `x-th-error`. Nothing of the request is echoed. */

interface Wording {
  readonly status: number;
  readonly title: string;
  readonly text: string;
  /** The page asks again by itself after this many seconds. */
  readonly againSeconds?: number;
}

const WORDING: Record<EdgeErrorCode, Wording> = {
  bad_request: {
    status: 400,
    title: "That request does not fit",
    text: "Its method, path or headers cannot be passed on.",
  },
  foreign_origin: {
    status: 403,
    title: "Another site asked",
    text: "Live connections are only opened from this address itself.",
  },
  unknown_slug: {
    status: 404,
    title: "Nothing lives here",
    text: "No Smooth host uses this address. Check the link for a typo.",
  },
  not_found: { status: 404, title: "No such page", text: "This path is reserved." },
  body_too_large: { status: 413, title: "Too large", text: "The upload is over the limit of this address." },
  wrong_host: { status: 421, title: "Wrong address", text: "This server does not serve that name." },
  too_many_streams: {
    status: 429,
    title: "Busy",
    text: "Too many things are open here at once. It tries again shortly.",
    againSeconds: 5,
  },
  origin_unreachable: {
    status: 502,
    title: "Smooth is not answering",
    text: "The host is connected, but its Smooth did not take the request.",
    againSeconds: 5,
  },
  host_lost: { status: 502, title: "The connection broke", text: "The host went away in the middle of this request." },
  host_offline: {
    status: 503,
    title: "The host is offline",
    text: "The machine behind this address is not connected. This page opens by itself when it is back.",
    againSeconds: 5,
  },
  overloaded: {
    status: 503,
    title: "Very busy",
    text: "Too much is waiting on this address. It tries again shortly.",
    againSeconds: 5,
  },
  host_unresponsive: {
    status: 504,
    title: "The host does not respond",
    text: "The machine is connected but silent, perhaps asleep.",
    againSeconds: 5,
  },
  origin_timeout: { status: 504, title: "That took too long", text: "Smooth on the host did not answer in time." },
};

export interface AnswerOptions {
  /** Whether the viewer is a browser opening a page. */
  readonly html: boolean;
  /** One more line, our own words only. */
  readonly detail?: string;
  readonly head?: boolean;
}

export function errorStatus(code: EdgeErrorCode): number {
  return WORDING[code].status;
}

export function wantsHtml(request: Request): boolean {
  return request.method === "GET" && (request.headers.get("accept") ?? "").includes("text/html");
}

export function errorAnswer(code: EdgeErrorCode, { html, detail, head }: AnswerOptions): Response {
  const wording = WORDING[code];
  const headers = new Headers({
    "x-th-error": code,
    "cache-control": "no-store",
    "content-type": html ? "text/html; charset=utf-8" : "application/json",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
  });
  if (wording.againSeconds) headers.set("retry-after", String(wording.againSeconds));
  const body = html ? page(wording, detail) : JSON.stringify({ error: code, message: detail ?? wording.text });
  return new Response(head ? null : body, { status: wording.status, headers });
}

/** "12 minutes": how long the host has been away. */
export function spanOf(ms: number): string {
  const units: readonly [number, string][] = [
    [86_400_000, "day"],
    [3_600_000, "hour"],
    [60_000, "minute"],
  ];
  for (const [unitMs, name] of units) {
    const count = Math.floor(ms / unitMs);
    if (count > 0) return `${count} ${name}${count === 1 ? "" : "s"}`;
  }
  return "a moment";
}

function page({ status, title, text, againSeconds }: Wording, detail: string | undefined): string {
  const again = againSeconds ? `<meta http-equiv="refresh" content="${againSeconds}">` : "";
  const pulse = againSeconds ? `<p class="again"><i></i>Checking again every ${againSeconds} seconds</p>` : "";
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">${again}<title>${title} · Smooth</title><style>${STYLE}</style></head>
<body><main><p class="brand">smooth</p><h1>${title}</h1><p>${text}</p>${detail ? `<p class="detail">${detail}</p>` : ""}${pulse}<p class="code">${status}</p></main></body></html>`;
}

const STYLE = `
:root{--paper:#f7f6f3;--ink:#1d1f23;--soft:#62666f;--line:#dddad3;--live:#2f7d5b}
@media(prefers-color-scheme:dark){:root{--paper:#141619;--ink:#eceae5;--soft:#9a9ea7;--line:#2b2f35;--live:#6cc39a}}
*{box-sizing:border-box}body{margin:0;min-height:100dvh;display:grid;place-items:center;padding:2rem 1.25rem;background:var(--paper);color:var(--ink);font:1rem/1.6 ui-sans-serif,system-ui,sans-serif}
main{width:min(28rem,100%)}.brand{margin:0 0 2rem;color:var(--soft);letter-spacing:.02em;font-weight:600}h1{margin:0 0 .5rem;font-size:1.5rem;line-height:1.25;letter-spacing:-.01em;text-wrap:balance}
p{margin:0 0 .75rem;color:var(--soft)}.detail{color:var(--ink)}.again{display:flex;align-items:center;gap:.6rem;margin-top:1.5rem}.again i{width:.5rem;height:.5rem;border-radius:50%;background:var(--live);animation:breathe 2.5s ease-in-out infinite}
.code{margin-top:2rem;padding-top:.75rem;border-top:1px solid var(--line);font-variant-numeric:tabular-nums;font-size:.8125rem}
@keyframes breathe{50%{opacity:.25}}@media(prefers-reduced-motion:reduce){.again i{animation:none}}`;
