/** Attempts, agents, what they say and cost, their tool calls. */
import type { GuardedFile } from "../guard.ts";
import { RULES, WORKFLOW, ENGINE } from "../rooms.ts";

export const AGENTS_GUARDS: readonly GuardedFile[] = [
  {
    file: `${ENGINE}/task/answer-schema.ts`,
    guards: [
      {
        id: "answer schema is what is read",
        text: `io: "input"`,
        instead: `io: "output"`,
        test: [`${RULES}/agents.test.tsx`, "an agent is told what its answer must be, not what the schema makes of it"],
      },
    ],
  },
  {
    file: `${ENGINE}/task/attempt.ts`,
    guards: [
      {
        id: "attempt T1 timeout",
        text: "...(timeoutMs === null ? [] : [total(timeoutMs)]),",
        instead: "",
        test: [`${RULES}/task.test.tsx`, "T1: timeoutMs is a hard race"],
      },
      {
        id: "attempt T1 silence",
        text: "...(heartbeatTimeoutMs === null ? [] : [silence(heartbeatTimeoutMs)]),",
        instead: "",
        test: [
          `${RULES}/task.test.tsx`,
          "a silent task loses at heartbeatTimeoutMs; the last heartbeat reaches the next attempt",
        ],
      },
      {
        id: "attempt T1 asking is no silence",
        text: "pulse.asking > 0;",
        instead: "false;",
        test: [
          `${RULES}/ask.test.tsx`,
          "the body blocks until a person has answered with one of the choices, however long that takes",
        ],
      },
      {
        id: "attempt heartbeat limit",
        text: "if (sizeBytes > MAX_HEARTBEAT_BYTES)",
        instead: "if (false)",
        test: [`${RULES}/task.test.tsx`, "%s is not tried again"],
      },
      {
        id: "attempt words after the end",
        text: `if (stop.aborted) return;
    pulse.beats`,
        instead: "pulse.beats",
        test: [
          `${WORKFLOW}/agent-usage.test.tsx`,
          "what an agent says and uses after its attempt is over is not heard, though the run goes on",
        ],
      },
      {
        id: "attempt warning",
        text: "prompt: warning + recalled.prompt",
        instead: "prompt: recalled.prompt",
        test: [
          `${RULES}/tool-calls.test.tsx`,
          "a retry after calls that are not idempotent is warned of them by name; after others it is not",
        ],
      },
      {
        id: "attempt idempotency key",
        text: "idempotencyKey: `${runId}:${leaf.key}`",
        instead: "idempotencyKey: `${runId}:${leaf.key}:${attempt}`",
        test: [
          `${WORKFLOW}/crash.machine.test.ts`,
          "point %i: another process finishes it and repeats no recorded step",
        ],
      },
      {
        id: "attempt latency slo",
        text: "...(slo === null ? [] : [latency(slo)]),",
        instead: "",
        test: [`${RULES}/aspects.test.tsx`, "stops an attempt that takes longer than perTask, once and for all"],
      },
    ],
  },
  {
    file: `${ENGINE}/task/failure.ts`,
    guards: [
      {
        id: "failure T2",
        text: `const wrongValue = code === "INVALID_OUTPUT" && leaf.body.mode !== "agent"; // T2`,
        instead: "const wrongValue = false;",
        test: [
          `${RULES}/task.test.tsx`,
          "T2: a compute output that does not fit is INVALID_OUTPUT and not tried again",
        ],
      },
      {
        id: "failure T3",
        text: "return untilMs > nowMs ? untilMs : null;",
        instead: "return null;",
        test: [
          `${RULES}/gates.test.tsx`,
          "G2: %s parks the run in waiting-quota until that time; it wakes by itself and no retry is used up",
        ],
      },
      {
        id: "failure T3 needs a time",
        text: `clock && code === "RATE_LIMITED" ? quotaEnd(peek(error, "details"), clock.now())`,
        instead: `clock && code === "RATE_LIMITED" ? clock.now() + 60_000`,
        test: [
          `${RULES}/gates.test.tsx`,
          "G2: %s parks the run in waiting-quota until that time; it wakes by itself and no retry is used up",
        ],
      },
      {
        id: "failure failureRetryable",
        text: "retryable: !refused && ",
        instead: "retryable: ",
        test: [`${RULES}/task.test.tsx`, "%s is not tried again"],
      },
      {
        id: "failure heartbeat not retried",
        text: `"HEARTBEAT_PAYLOAD_NOT_JSON_SERIALIZABLE",
  "HEARTBEAT_PAYLOAD_TOO_LARGE",
]);`,
        instead: "]);",
        test: [`${RULES}/task.test.tsx`, "%s is not tried again"],
      },
    ],
  },
  {
    file: `${ENGINE}/task/run-agent.ts`,
    guards: [
      {
        id: "agents A1 prompt",
        text: "let ask = `${prompt}\\n\\n${wanted(schema)}`;",
        instead: "let ask = `${prompt.trim()}\\n\\n${wanted(schema)}`;",
        test: [`${RULES}/agents.test.tsx`, "A1: the prompt arrives byte for byte, with the JSON Schema after it"],
      },
      {
        id: "agents A1 schema",
        text: "let ask = `${prompt}\\n\\n${wanted(schema)}`;",
        instead: "let ask = prompt;",
        test: [`${RULES}/agents.test.tsx`, "A1: the prompt arrives byte for byte, with the JSON Schema after it"],
      },
      {
        id: "agents A2 corrections",
        text: "const MAX_CORRECTIONS = 3;",
        instead: "const MAX_CORRECTIONS = 2;",
        test: [
          `${RULES}/agents.test.tsx`,
          "A2: a wrong shape is corrected in the same conversation, at most three times, and is not a retry",
        ],
      },
      {
        id: "agents A2 follow-up",
        text: "askedForJson = true;",
        instead: "break;",
        test: [`${RULES}/agents.test.tsx`, "no JSON at all gets one JSON-only follow-up"],
      },
      {
        id: "agents A2 conversation",
        text: `conversation.push({ role: "user", content: ask }, { role: "assistant", content: answer.text, ...native });`,
        instead: "",
        test: [
          `${RULES}/agents.test.tsx`,
          "A2: a wrong shape is corrected in the same conversation, at most three times, and is not a retry",
        ],
      },
      {
        id: "agents long problem",
        text: "problem: z.prettifyError(parsed.error).slice(0, MAX_PROBLEM_CHARS)",
        instead: "problem: z.prettifyError(parsed.error)",
        test: [
          `${WORKFLOW}/garbage-agents.test.tsx`,
          "a wrong answer of many megabytes does not come back in the correction",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/task/ask-agent.ts`,
    guards: [
      {
        id: "agents K1 once",
        text: "if (!reported) take(usageOf(result)); // K1",
        instead: "take(usageOf(result));",
        test: [
          `${WORKFLOW}/agent-usage.test.tsx`,
          "what is reported on the way is written while the agent is at work, and not counted again with the result",
        ],
      },
      {
        id: "agents K1 with an error",
        text: "if (!reported) take(usageOf(error)); // K1",
        instead: "",
        test: [`${WORKFLOW}/agent-usage.test.tsx`, "every answer counts: corrections, and one that came with an error"],
      },
      {
        id: "agents K2 messages",
        text: "messages: [...spoken, ",
        instead: "messages: [",
        test: [
          `${WORKFLOW}/agent-usage.test.tsx`,
          "K2: an AI SDK agent gets messages, with the earlier turns as it said them, and its steps are proof of life",
        ],
      },
      {
        id: "agents K2 proof of life",
        text: `onStdout(peekText(step, "text") ?? "");`,
        instead: `const said = peekText(step, "text");
      if (said) onStdout(said);`,
        test: [
          `${WORKFLOW}/agent-usage.test.tsx`,
          "K2: the steps of an AI SDK agent are proof of life, also those that say nothing",
        ],
      },
      {
        id: "agents K3",
        text: "throw agentFailure(error, nowMs()); // K3",
        instead: "throw error;",
        test: [
          `${WORKFLOW}/agent-usage.test.tsx`,
          "G1: a chain leaves an agent whose key is refused, for the rest of the run",
        ],
      },
      {
        id: "agents usage after the end",
        text: "if (usage && !question.signal.aborted)",
        instead: "if (usage)",
        test: [
          `${WORKFLOW}/agent-usage.test.tsx`,
          "what an agent says and uses after its attempt is over is not heard, though the run goes on",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/task/agent-failure.ts`,
    guards: [
      {
        id: "agents G1",
        text: "|| CONFIG_STATUSES.has(status))",
        instead: "|| false)",
        test: [`${ENGINE}/task/agent-failure.test.ts`, "G1: %s is AGENT_CONFIG_INVALID"],
      },
      {
        id: "agents G2",
        text: "if (retryAfterMs > 0) return quotaError(message, retryAfterMs); // G2",
        instead: "",
        test: [`${ENGINE}/task/agent-failure.test.ts`, "G2: 429 with %o ends after %d ms"],
      },
      {
        id: "agents G3",
        text: `peek(cause, "isRetryable") === false`,
        instead: "false",
        test: [
          `${ENGINE}/task/agent-failure.test.ts`,
          "G3: what the provider will never take is not sent again; what may pass stays as it was",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/task/agent-output.ts`,
    guards: [
      {
        id: "agents O1 length",
        text: "if (text.length > MAX_ANSWER_CHARS)",
        instead: "if (false)",
        test: [
          `${WORKFLOW}/garbage-agents.test.tsx`,
          "100 MB of text are refused by their length, and asked for once only",
        ],
      },
      {
        id: "agents last fence",
        text: "last = text.slice(from, close);",
        instead: "last ??= text.slice(from, close);",
        test: [`${ENGINE}/task/agent-output.test.ts`, "the last json fence, not the first"],
      },
      {
        id: "agents order of reading",
        text: "[(whole: string) => whole, lastFence, lastBalanced]",
        instead: "[(whole: string) => whole, lastBalanced, lastFence]",
        test: [`${ENGINE}/task/agent-output.test.ts`, "a fence before what stands behind it"],
      },
    ],
  },
  {
    file: `${ENGINE}/task/agent-words.ts`,
    guards: [
      {
        id: "words W1",
        text: "this.#ports.later(GATHER_MS, () => this.flush());",
        instead: "queueMicrotask(() => this.flush());",
        test: [
          `${WORKFLOW}/agent-usage.test.tsx`,
          "W1: what an agent says on the way is gathered into few events, in order, and none is lost at the end",
        ],
      },
      {
        id: "words W2",
        text: `|| text === "" || this.#left <= 0) return;`,
        instead: `|| text === "") return;`,
        test: [
          `${WORKFLOW}/agent-usage.test.tsx`,
          "W2: an agent that talks without end fills no store, and after its timeout nobody listens",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/task/usage.ts`,
    guards: [
      {
        id: "usage U1 nonsense",
        text: "Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : 0",
        instead: "Number(value ?? 0)",
        test: [`${ENGINE}/task/usage.test.ts`, "U1: nonsense counts as 0, and nothing but nonsense is no report"],
      },
      {
        id: "usage U1 nothing",
        text: "if (Object.values(read).every((number) => number === 0)) return null;",
        instead: "",
        test: [`${ENGINE}/task/usage.test.ts`, "U1: nonsense counts as 0, and nothing but nonsense is no report"],
      },
    ],
  },
  {
    file: `${ENGINE}/task/tool-log.ts`,
    guards: [
      {
        id: "tool log L1",
        text: "if (!kind.idempotent) await ports.recorded(); // L1",
        instead: "",
        test: [
          `${RULES}/tool-calls.test.tsx`,
          "L1: a call that must not be repeated runs only when the note of its start is durable",
        ],
      },
      {
        id: "tool log L2",
        text: "const call = (calls += 1); // L2",
        instead: "const call = 1;",
        test: [
          `${RULES}/tool-calls.test.tsx`,
          "every call is in the log with its task, attempt, number, input, status and time",
        ],
      },
      {
        id: "tool log cut",
        text: "...kind, input: cut(input) }",
        instead: "...kind, input }",
        test: [
          `${RULES}/tool-calls.test.tsx`,
          "every call is in the log with its task, attempt, number, input, status and time",
        ],
      },
      {
        id: "tool log unsafe",
        text: "unsafe: call.idempotent ? unsafe : [...unsafe, call.tool]",
        instead: "unsafe: [...unsafe, call.tool]",
        test: [
          `${RULES}/tool-calls.test.tsx`,
          "a retry after calls that are not idempotent is warned of them by name; after others it is not",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/task/around-files.ts`,
    guards: [
      {
        id: "files N1",
        text: `log.warn("task.files-unnamed"`,
        instead: `throw error;
    log.warn("task.files-unnamed"`,
        test: [
          `${RULES}/task.test.tsx`,
          "N1: version control that fails costs the names of the files, never the attempt",
        ],
      },
    ],
  },
];
