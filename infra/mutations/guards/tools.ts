/** Tools in a task, their limits, OpenAPI. */
import type { GuardedFile } from "../guard.ts";
import { RULES, WORKFLOW, TOOLS } from "../rooms.ts";

export const TOOLS_GUARDS: readonly GuardedFile[] = [
  {
    file: `${TOOLS}/built-in/commands.ts`,
    guards: [
      {
        id: "grep within the root",
        text: `if (place.kind === "refused" && place.reason === "outside")`,
        instead: "if (false)",
        test: [
          `${WORKFLOW}/task-tools.test.tsx`,
          "grep searches nothing outside the root: not by `..`, not by an absolute path, not through a link",
        ],
      },
    ],
  },
  {
    file: `${TOOLS}/built-in/files.ts`,
    guards: [
      {
        id: "edit keeps bytes",
        text: "{ fatal: true, ignoreBOM: true }",
        instead: "{}",
        test: [
          `${TOOLS}/built-in/built-in.test.ts`,
          "an edit keeps the byte order mark and the ends of lines, and refuses bytes it could not write back",
        ],
      },
    ],
  },
  {
    file: `${TOOLS}/task/scope.node.ts`,
    guards: [
      {
        id: "tools T1 allowed",
        text: "if (scope.allowTools && !scope.allowTools.includes(name))",
        instead: "if (false)",
        test: [
          `${WORKFLOW}/task-tools.test.tsx`,
          "a tool the task does not allow does nothing; an empty list allows none",
        ],
      },
      {
        id: "tools T1 unbound",
        text: "if (!bound)",
        instead: "if (bound === null)",
        test: [`${WORKFLOW}/task-tools.test.tsx`, "outside of a task a tool refuses"],
      },
      {
        id: "tools T2 late",
        text: "scope.signal.throwIfAborted();",
        instead: "",
        test: [
          `${WORKFLOW}/task-tools.test.tsx`,
          "a call that comes after its body has ended does nothing, and nothing is noted of it",
        ],
      },
      {
        id: "tools T2 failed",
        text: `end({ status: "error"`,
        instead: `void ({ status: "error"`,
        test: [`${WORKFLOW}/task-tools.test.tsx`, "the calls can be read with SQL, as `_smithers_tool_calls`"],
      },
      {
        id: "tools T2 redacted",
        text: `redact(JSON.stringify(logged) ?? "")`,
        instead: "JSON.stringify(logged)",
        test: [
          `${WORKFLOW}/task-tools.test.tsx`,
          "T2, T3: the log shows arguments redacted; the key of a call is made of what it was really asked",
        ],
      },
      {
        id: "tools T3 input",
        text: ".update(`${tool}\\n${JSON.stringify(input)}`)",
        instead: ".update(tool)",
        test: [
          `${WORKFLOW}/task-tools.test.tsx`,
          "T2, T3: the log shows arguments redacted; the key of a call is made of what it was really asked",
        ],
      },
      {
        id: "tools T3 repeat",
        text: "const repeat = repeats.get(digest) ?? 0;",
        instead: "const repeat = 0;",
        test: [
          `${WORKFLOW}/task-tools.test.tsx`,
          "T3: a tool's idempotency key is the same in every attempt, and another for another input and for a repetition",
        ],
      },
      {
        id: "tools T4",
        text: "await held?.[Symbol.asyncDispose](); // T4",
        instead: "",
        test: [`${WORKFLOW}/task-tools.test.tsx`, "T4: what a command left running is gone when its task ends"],
      },
      {
        id: "tools environment",
        text: "env = plainEnv()",
        instead: "env = process.env",
        test: [`${WORKFLOW}/task-tools.test.tsx`, "commands do not see this process's secrets"],
      },
      {
        id: "tools worktree",
        text: "scope.worktree?.path ?? options.rootDir",
        instead: "options.rootDir",
        test: [`${RULES}/worktrees.test.tsx`, "the tools of a task below a Worktree work in it"],
      },
      {
        id: "tools network by default",
        text: `network: allowNetwork ? "open" : "none"`,
        instead: `network: "open"`,
        test: [
          `${WORKFLOW}/task-tools.test.tsx`,
          "a command reaches the network only when the run allows it, whatever its words",
        ],
      },
    ],
  },
  {
    file: `${TOOLS}/task/built-in.node.ts`,
    guards: [
      {
        id: "tools B1 refuse",
        text: "if (!result.ok) throw",
        instead: "if (false) throw",
        test: [`${WORKFLOW}/task-tools.test.tsx`, "the calls can be read with SQL, as `_smithers_tool_calls`"],
      },
      {
        id: "tools B2",
        text: "if (COMMANDS.has(name)) await call.checkWall(); // B2",
        instead: "",
        test: [
          `${TOOLS}/workspace/network-wall.test.ts`,
          "B2: a task's command there is SANDBOX_UNAVAILABLE, unless the run allows the network",
        ],
      },
      {
        id: "tools contents by hash",
        text: "({ path, ...fingerprint(content) })",
        instead: "({ path, content })",
        test: [
          `${WORKFLOW}/task-tools.test.tsx`,
          "an agent reads, writes, edits, searches and runs commands in the root; every call is in the log",
        ],
      },
    ],
  },
  {
    file: `${TOOLS}/define-tool.ts`,
    guards: [
      {
        id: "tools D1 arguments",
        text: "if (!parsed.success) return failure(",
        instead: "if (false) return failure(",
        test: [
          `${TOOLS}/built-in/built-in.test.ts`,
          "D1: unknown tools, bad JSON and bad arguments come back as results that say what to do",
        ],
      },
      {
        id: "tools D1 crash",
        text: "return failure(`${name} failed:",
        instead: "throw error;\n        return failure(`${name} failed:",
        test: [
          `${TOOLS}/built-in/built-in.test.ts`,
          "D2: a long result is cut and says so; D1: a crash in a tool is a result",
        ],
      },
      {
        id: "tools D1 unknown",
        text: "if (!tool) return failure(",
        instead: "if (!tool) throw new Error(",
        test: [
          `${TOOLS}/built-in/built-in.test.ts`,
          "D1: unknown tools, bad JSON and bad arguments come back as results that say what to do",
        ],
      },
      {
        id: "tools D2",
        text: "return { ok, content: clipText(content, context.maxOutputBytes) };",
        instead: "return { ok, content };",
        test: [
          `${TOOLS}/built-in/built-in.test.ts`,
          "D2: a long result is cut and says so; D1: a crash in a tool is a result",
        ],
      },
    ],
  },
  {
    file: `${TOOLS}/access.ts`,
    guards: [
      {
        id: "access A1",
        text: `words ? [cmd, ...words].map(quote).join(" ") : cmd`,
        instead: `words ? [cmd, ...words].join(" ") : cmd`,
        test: [`${TOOLS}/access.test.ts`, "A1: a command with arguments is judged as the shell would have to spell it"],
      },
    ],
  },
  {
    file: `${TOOLS}/openapi/spec.ts`,
    guards: [
      {
        id: "openapi O1 circle",
        text: `if (seen.has(ref)) throw broken(ref, "leads back to itself");`,
        instead: "if (seen.has(ref)) return {};",
        test: [`${TOOLS}/openapi/openapi-tools.test.ts`, "%s is refused with what is wrong"],
      },
      {
        id: "openapi O1 outside",
        text: `if (!ref.startsWith("#")) throw`,
        instead: "if (false) throw",
        test: [`${TOOLS}/openapi/openapi-tools.test.ts`, "%s is refused with what is wrong"],
      },
      {
        id: "openapi O1 nowhere",
        text: `if (value === undefined) throw broken(ref, "leads nowhere");`,
        instead: "",
        test: [`${TOOLS}/openapi/openapi-tools.test.ts`, "%s is refused with what is wrong"],
      },
    ],
  },
  {
    file: `${TOOLS}/openapi/call.ts`,
    guards: [
      {
        id: "openapi O4 limit",
        text: "if (size > maxBytes) return null;",
        instead: "",
        test: [`${TOOLS}/openapi/call.test.ts`, "O4: %s is an answer, not an exception"],
      },
      {
        id: "openapi O4 time",
        text: "const deadline = AbortSignal.timeout(limits.timeoutMs);",
        instead: "const deadline = AbortSignal.timeout(60_000);",
        test: [`${TOOLS}/openapi/call.test.ts`, "O4: %s is an answer, not an exception"],
      },
      {
        id: "openapi O5 origin",
        text: "return next.origin === new URL(from).origin ? next.href : null;",
        instead: "return next.href;",
        test: [`${TOOLS}/openapi/call.test.ts`, "O4: %s is an answer, not an exception"],
      },
      {
        id: "openapi O5 methods",
        text: `|| !["GET", "HEAD"].includes(method)`,
        instead: "",
        test: [`${TOOLS}/openapi/call.test.ts`, "O5: a write is never sent on to where a redirect points"],
      },
    ],
  },
  {
    file: `${TOOLS}/openapi/schema.ts`,
    guards: [
      {
        id: "openapi O2",
        text: "if (open.has(ref)) return z.lazy(() => done.get(ref) ?? z.unknown()); // O2",
        instead: "",
        test: [`${TOOLS}/openapi/schema.test.ts`, "O2: schemas that hold themselves, and each other"],
      },
    ],
  },
];
