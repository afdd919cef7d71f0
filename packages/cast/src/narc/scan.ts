import type { AccessRequest, Finding } from "@smooth/protocol/policy";
import { hazardsIn } from "../wonk/command.ts";
import { createRedactor } from "./redact.ts";

/** Looks at text from outside (web, files, issues, tool results) and at what an agent is about to do. It reports; Wonk decides.
 *  I1. A finding never lets anything through: it only warns, marks or blocks.
 *  I2. Patterns are linear and look at a bounded text. */

const MAX_TEXT = 512 * 1024;
const redactor = createRedactor();

export function scanText(text: string): Finding[] {
  const seen = text.slice(0, MAX_TEXT);
  const plain = visible(seen);
  const direct = INJECTIONS.flatMap(({ rule, severity, re }) => {
    const match = re.exec(plain);
    return match ? [finding({ rule, severity, category: "injection" }, around(plain, match.index))] : [];
  });
  return [...direct, ...hiddenText(seen), ...encodedText(seen)];
}

/** What a command would do, as Narc sees it (Wonk judges the same line by himself). */
export function scanCommand(command: string): Finding[] {
  return hazardsIn(command).map(({ name, why }) =>
    finding(
      { rule: `command.${name}`, severity: name === "catastrophe" ? "block" : "warn", category: "command" },
      `${why}: ${command}`,
    ),
  );
}

/** P6: Big Smooth reads, plans and asks; anything that could change a file or run a program is blocked, whatever a policy says. */
export function guardReadOnly(request: AccessRequest): Finding | null {
  const blocked = (what: string): Finding =>
    finding({ rule: "write-guard.read-only", severity: "block", category: "write-guard" }, what);
  if (request.kind === "write") return blocked(`write ${request.path}`);
  if (request.kind === "command") return blocked(request.command);
  if (request.kind === "pearl" || request.kind === "network" || request.kind === "read") return null;
  return READ_ONLY_TOOLS.has(request.name) ? null : blocked(`tool ${request.name}`);
}

const READ_ONLY_TOOLS = new Set([
  "read",
  "grep",
  "list",
  "glob",
  "pearl.create",
  "pearl.show",
  "pearl.list",
  "run.dispatch",
  "run.show",
  "run.list",
  "access.propose",
  "say",
]);

type Kind = Pick<Finding, "rule" | "severity" | "category">;
interface Injection {
  readonly rule: string;
  readonly severity: Finding["severity"];
  readonly re: RegExp;
}

const INJECTIONS: readonly Injection[] = [
  {
    rule: "injection.override",
    severity: "alert",
    re: /\b(?:ignore|disregard|forget|override|bypass|do not follow|stop following)\b.{0,40}\b(?:previous|prior|above|earlier|all|your|any|these|system)\b.{0,30}\b(?:instructions?|prompts?|rules?|directions?|guidelines?|messages?|context|task)\b/i,
  },
  {
    rule: "injection.override",
    severity: "alert",
    re: /(?:ignoriere|vergiss|missachte)\b.{0,40}(?:anweisung|regel|vorgabe|instruktion)|(?:ignore[zr]?|oublie[zr]?)\b.{0,30}(?:instructions? pr[ée]c[ée]dentes|consignes)|(?:ignora|olvida|descarta)\b.{0,40}(?:instrucciones|indicaciones|istruzioni|instru[çc][õo]es)|игнорируй.{0,40}инструкци|忽略.{0,12}(?:指令|指示|说明)|以前の指示.{0,8}無視|이전.{0,8}지시.{0,8}무시/iu,
  },
  {
    rule: "injection.new-task",
    severity: "alert",
    re: /\b(?:your (?:new|real|actual|true) (?:task|instructions?|goal|objective|job)|new (?:system )?instructions?\s{0,3}:|before (?:you )?(?:continue|proceed|solv|answer|finish)\w{0,6}.{0,60}\b(?:must|first|need to|please)\b.{0,60}\b(?:send|run|execute|post|upload|transfer|email|curl|delete|visit))/i,
  },
  {
    rule: "injection.role",
    severity: "warn",
    re: /\b(?:you are now|from now on you(?: are| will|'re)|act as|pretend (?:to be|you are)|roleplay as)\b.{0,60}\b(?:DAN|unrestricted|jailbroken|developer mode|root|admin(?:istrator)?|no (?:rules|restrictions|limits)|without (?:rules|restrictions|filters?))\b/i,
  },
  {
    rule: "injection.markup",
    severity: "alert",
    re: /<\|?(?:im_start|im_end|system|endoftext|start_header_id)\|?>|\[\/?INST\]|<<\/?SYS>>|<\/?(?:system[-_ ]?(?:prompt|message|instructions?)|information|important_instructions?)>|^\s{0,4}#{1,4} ?(?:system prompt|system message|instructions? (?:for|to) (?:the )?(?:ai|assistant|agent|model))/im,
  },
  {
    rule: "injection.address",
    severity: "warn",
    re: /\b(?:attention|important|note|message|instructions?)\b[^\n]{0,20}\b(?:ai|llm|assistant|agents?|model|copilot|claude|gpt|chatbot)s?\b\s{0,3}[:!,]|\b(?:if you are|as) an? (?:ai|llm|language model|assistant|agent)\b.{0,60}\b(?:you must|please|should|execute|run|send|include)\b/i,
  },
  {
    rule: "injection.secrecy",
    severity: "alert",
    re: /\b(?:do not|don't|never|without)\b.{0,20}\b(?:tell|inform|mention|reveal|show|notify|telling|informing|mentioning|notifying)\b.{0,25}\b(?:the )?(?:user|human|developer|operator|anyone|owner)\b/i,
  },
  {
    rule: "injection.exfiltrate",
    severity: "alert",
    re: /\b(?:send|post|upload|exfiltrate|transmit|forward|email|leak|include|append|print|reveal|show)\b.{0,60}(?:\.env|\b(?:(?:api|secret|access|private|ssh) ?keys?|credentials?|passwords?|tokens?|environment variables?|system prompt|id_rsa|conversation history))\b.{0,80}(?:\bto\b|\bat\b|https?:|@)/i,
  },
  {
    rule: "injection.image-exfil",
    severity: "alert",
    re: /!\[[^\]]{0,200}\]\(https?:\/\/[^)\s]{1,300}[?&][^)\s]{0,40}(?:=\{|=\$|=<|data=|secret|token|key=|prompt|q=\[)/i,
  },
];

/** A comment that people do not see, speaking to a model. */
const FOR_MODELS =
  /\b(?:ai|assistant|agent|llm|language model|ignore (?:all|any|the|your|previous)|you must|execute|curl|system prompt)\b/i;
/** Bidirectional overrides, tag characters, zero-width runs. */
const INVISIBLE = /[\u202a-\u202e\u2066-\u2069]|[\u{e0020}-\u{e007f}]{4,}|[\u200b-\u200d\u2060\ufeff]{3,}/u;

function hiddenText(text: string): Finding[] {
  const comment = comments(text).find((candidate) => FOR_MODELS.test(candidate));
  const invisible = INVISIBLE.exec(text);
  return [
    ...(comment === undefined
      ? []
      : [finding({ rule: "injection.hidden-comment", severity: "warn", category: "injection" }, comment)]),
    ...(invisible
      ? [
          finding(
            { rule: "injection.invisible", severity: "alert", category: "injection" },
            around(visible(text), Math.max(0, invisible.index - 20)),
          ),
        ]
      : []),
  ];
}

function comments(text: string): string[] {
  const found: string[] = [];
  for (let at = text.indexOf("<!--"); at >= 0 && found.length < 200; at = text.indexOf("<!--", at)) {
    const end = text.indexOf("-->", at);
    if (end < 0) break;
    found.push(text.slice(at + 4, Math.min(end, at + 2_000)));
    at = end;
  }
  return found;
}

/** Base64 that decodes to an injection. */
function encodedText(text: string): Finding[] {
  const runs = (text.match(/[A-Za-z0-9+/]{40,4000}={0,2}/g) ?? []).slice(0, 20);
  const guilty = runs
    .map(decoded)
    .find((plain) => plain !== null && INJECTIONS.some(({ re, severity }) => severity === "alert" && re.test(plain)));
  return guilty === undefined || guilty === null
    ? []
    : [finding({ rule: "injection.encoded", severity: "alert", category: "injection" }, guilty)];
}

function decoded(run: string): string | null {
  try {
    const plain = atob(run.slice(0, run.length - (run.length % 4)));
    return /^[\x20-\x7e\s]+$/.test(plain) ? plain : null;
  } catch {
    return null;
  }
}

/** Tag characters become what they spell, invisible ones vanish, look-alike spaces become spaces. */
function visible(text: string): string {
  return text
    .replace(/[\u{e0020}-\u{e007e}]/gu, (tag) => String.fromCodePoint((tag.codePointAt(0) ?? 0) - 0xe0000))
    .replace(/[\u200b-\u200d\u2060\ufeff\u00ad]/g, "")
    .replace(/[\u00a0\u2000-\u200a\u202f\u3000]/g, " ");
}

function around(text: string, at: number): string {
  return text.slice(Math.max(0, at - 40), at + 200);
}

function finding(kind: Kind, excerpt: string): Finding {
  return { ...kind, excerpt: redactor.redact(excerpt).text.replace(/\s+/g, " ").slice(0, 300) };
}
