import type { Finding } from "@smooth/protocol/policy";
import { secretForms, watchSecrets } from "./secret-stream.ts";

/** Cuts secrets out of text before a model, transcript, log, event or share sees it (promise P4).
 *  R1. The known secrets of the house are cut exactly, in every usual encoding; unknown ones by their vendor's format or by context.
 *  R2. The same text gives the same result whole or in chunks, however it was cut.
 *  R3. Every pattern is linear: bounded repeats, no nesting; a hostile megabyte costs milliseconds. */

export interface Redactor {
  redact(text: string): Redacted;
  /** For text that arrives in pieces; holds back only what may be the start of a secret. */
  stream(): RedactorStream;
}
export interface Redacted {
  readonly text: string;
  readonly findings: readonly Finding[];
}
export interface RedactorStream {
  push(chunk: string): Redacted;
  end(): Redacted;
}

export function createRedactor(secrets: readonly string[] = []): Redactor {
  const needles = secretForms(secrets);
  return { redact: (text) => cut(text, needles), stream: () => streamOf(secrets) };
}

interface Pattern {
  readonly kind: string;
  readonly re: RegExp;
  /** A cheap look first: most text holds none of these. */
  readonly hint: RegExp;
  /** Extra doubt for patterns that rest on context. */
  readonly isSecret?: (value: string) => boolean;
}

/** Where a pattern has a group called `secret`, only that part is cut. */
const PATTERNS: readonly Pattern[] = [
  {
    kind: "private-key",
    hint: /PRIVATE KEY/,
    re: /-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!----)){0,20000}(?:-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----)?/g,
  },
  { kind: "anthropic-key", hint: /sk-ant-/, re: /\bsk-ant-[A-Za-z0-9_-]{20,200}/g },
  {
    kind: "openai-key",
    hint: /sk-/,
    re: /\bsk-(?:proj-|svcacct-|admin-|or-v1-|live-|test-)?[A-Za-z0-9_-]{20,200}/g,
    isSecret: mixed,
  },
  {
    kind: "github-token",
    hint: /gh[opusr]_|github_pat_/,
    re: /\b(?:gh[opusr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{22,255})/g,
  },
  {
    kind: "gitlab-token",
    hint: /gl[a-z]{2,6}-/,
    re: /\bgl(?:pat|ptt|dt|rt|cbt|soat|ft|imt|agent)-[A-Za-z0-9_-]{20,100}/g,
  },
  { kind: "aws-access-key", hint: /A[KS]IA|ABIA|ACCA/, re: /\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b/g },
  {
    kind: "google-key",
    hint: /AIza|ya29\.|GOCSPX-/,
    re: /\b(?:AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,400}|GOCSPX-[A-Za-z0-9_-]{20,60})/g,
  },
  {
    kind: "slack-token",
    hint: /xox[a-z]|xapp-|hooks\.slack/,
    re: /\b(?:xox[abeoprs]-[A-Za-z0-9-]{10,250}|xapp-\d-[A-Za-z0-9-]{10,250})|hooks\.slack\.com\/services\/[A-Za-z0-9/]{20,100}/g,
  },
  {
    kind: "stripe-key",
    hint: /_(?:live|test)_|whsec_/,
    re: /\b(?:(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,250}|whsec_[A-Za-z0-9]{20,100})/g,
  },
  { kind: "npm-token", hint: /npm_/, re: /\bnpm_[A-Za-z0-9]{36}\b/g },
  { kind: "pypi-token", hint: /pypi-/, re: /\bpypi-[A-Za-z0-9_-]{50,250}/g },
  { kind: "huggingface-token", hint: /hf_/, re: /\bhf_[A-Za-z0-9]{30,60}\b/g },
  { kind: "sendgrid-key", hint: /SG\./, re: /\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{30,64}/g },
  { kind: "shopify-token", hint: /shp/, re: /\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}\b/g },
  { kind: "digitalocean-token", hint: /do[opr]_v1_/, re: /\bdo[opr]_v1_[a-f0-9]{64}\b/g },
  {
    kind: "groq-key",
    hint: /gsk_|xai-|r8_|pplx-|tvly-/,
    re: /\b(?:gsk_|xai-|r8_|pplx-|tvly-)[A-Za-z0-9-]{30,120}/g,
    isSecret: mixed,
  },
  { kind: "vault-token", hint: /hvs\.|hvb\./, re: /\bhv[sb]\.[A-Za-z0-9_-]{20,250}/g },
  { kind: "linear-key", hint: /lin_(?:api|oauth)_/, re: /\blin_(?:api|oauth)_[A-Za-z0-9]{32,64}/g },
  { kind: "databricks-token", hint: /dapi/, re: /\bdapi[a-f0-9]{32}\b/g },
  { kind: "age-key", hint: /AGE-SECRET-KEY/, re: /\bAGE-SECRET-KEY-1[A-Z0-9]{58}\b/g },
  { kind: "telegram-token", hint: /:AA/, re: /\b\d{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])/g },
  {
    kind: "azure-key",
    hint: /AccountKey=|SharedAccessKey=|sig=/,
    re: /(?:AccountKey|SharedAccessKey)=(?<secret>[A-Za-z0-9+/]{40,100}={0,2})/g,
  },
  {
    kind: "jwt",
    hint: /eyJ/,
    re: /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,6000}\.[A-Za-z0-9_-]{0,1000}/g,
  },
  {
    kind: "url-password",
    hint: /:\/\//,
    re: /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:@/'"`<>]{0,100}:(?<secret>[^\s:@/'"`<>]{3,200})@/gi,
    isSecret: (value) => !/^(?:\$\{?|<|\{|%s|x{3,}|\*{3,}|password$|pass$)/i.test(value),
  },
  {
    kind: "authorization",
    hint: /bearer|basic|authorization/i,
    re: /\b(?:bearer|basic)\s{1,4}(?<secret>[A-Za-z0-9+/._~-]{20,2000}={0,2})/gi,
    isSecret: mixed,
  },
  {
    kind: "assigned-secret",
    hint: /secret|passw|token|api[_-]?key|access[_-]?key|private[_-]?key|credential/i,
    re: /(?:secret|passwd|password|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)[a-z0-9_-]{0,30}["']?\s{0,4}(?:=>|:=|[:=])\s{0,4}["'`]?(?<secret>[A-Za-z0-9+/_.~!@#$%^&*-]{16,200}={0,2})/gi,
    isSecret: looksRandom,
  },
];

function cut(text: string, needles: readonly string[]): Redacted {
  const findings: Finding[] = [];
  let clean = text;
  for (const needle of needles) {
    const pieces = clean.split(needle);
    if (pieces.length > 1) findings.push(findingOf("known-secret"));
    clean = pieces.join(mark("known-secret"));
  }
  for (const { kind, re, hint, isSecret } of PATTERNS) {
    if (!hint.test(clean)) continue;
    clean = clean.replace(re, (whole: string, ...rest: unknown[]) => {
      const groups = rest.at(-1);
      const secret =
        typeof groups === "object" && groups !== null
          ? ((groups as Record<string, string | undefined>)["secret"] ?? whole)
          : whole;
      if (secret.startsWith("[REDACTED:") || isSecret?.(secret) === false) return whole;
      findings.push(findingOf(kind));
      return (
        whole.slice(0, whole.lastIndexOf(secret)) + mark(kind) + whole.slice(whole.lastIndexOf(secret) + secret.length)
      );
    });
  }
  return { text: clean, findings };
}

function mark(kind: string): string {
  return `[REDACTED:${kind}]`;
}

function findingOf(kind: string): Finding {
  return { severity: "alert", category: "secret", rule: `secret.${kind}`, excerpt: mark(kind) };
}

/** Letters and digits both: a real key, not `sk-your-key-goes-here-please`. */
function mixed(value: string): boolean {
  return /\d/.test(value) && /[A-Za-z]/.test(value) && new Set(value).size >= 8;
}

/** Mixed, and close to random: identifiers, paths and calls are not. */
function looksRandom(value: string): boolean {
  return (
    mixed(value) &&
    !/^(?:process|import|config|this|os|env|self|ctx|req|options|settings)[.[]/.test(value) &&
    !/[a-z]\.[a-z]+[.(]/i.test(value) &&
    !value.includes("${") &&
    bitsPerCharacter(value) >= 3.5
  );
}

function bitsPerCharacter(value: string): number {
  const counts = new Map<string, number>();
  for (const char of value) counts.set(char, (counts.get(char) ?? 0) + 1);
  return [...counts.values()].reduce(
    (bits, count) => bits - (count / value.length) * Math.log2(count / value.length),
    0,
  );
}

const MAX_HELD = 32_768;

/** R2: known secrets are cut first; then text is passed on up to the last place where no pattern can still be open. */
function streamOf(secrets: readonly string[]): RedactorStream {
  const known = watchSecrets(secrets, { replacement: mark("known-secret") });
  let held = "";
  const pass = (size: number, hits: number): Redacted => {
    const ready = cut(held.slice(0, size), []);
    held = held.slice(size);
    return {
      text: ready.text,
      findings: [...Array.from({ length: hits }, () => findingOf("known-secret")), ...ready.findings],
    };
  };
  return {
    push(chunk) {
      const { text, hits } = known.push(chunk);
      held += text;
      return pass(safeCut(held), hits);
    },
    end() {
      held += known.end().text;
      return pass(held.length, 0);
    },
  };
}

const OPEN_CONTEXT =
  /(?:[a-z0-9_-]{0,40}(?:secret|passwd|password|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)[a-z0-9_-]{0,30}["']?\s{0,4}(?:=>|:=|[:=]|:)?\s{0,4}["'`]?|(?:bearer|basic)\s{0,4})$/i;

function safeCut(text: string): number {
  const key = text.lastIndexOf("-----BEGIN ");
  const keyEnd = key < 0 ? null : /-----END [A-Z ]{0,30}-----/.exec(text.slice(key));
  if (key >= 0 && !keyEnd && text.length - key < MAX_HELD) return key;
  let at = text.length;
  while (at > 0 && !isSpace(text.charCodeAt(at - 1))) at -= 1;
  if (keyEnd && at > key && at < key + keyEnd.index + keyEnd[0].length) return key;
  if (text.length - at > MAX_HELD) return text.length - MAX_HELD / 2;
  // A keyword before the space may have its value behind it.
  const window = text.slice(Math.max(0, at - 120), at);
  const open = OPEN_CONTEXT.exec(window);
  if (open) at -= window.length - open.index;
  return at;
}

function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13);
}
