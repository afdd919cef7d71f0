/** The cache, and the bodies of a run. */
import type { GuardedFile } from "../guard.ts";
import { RULES, WORKFLOW, ENGINE } from "../rooms.ts";

export const BODIES_GUARDS: readonly GuardedFile[] = [
  {
    file: `${ENGINE}/cache/policy.ts`,
    guards: [
      {
        id: "cache C1 iteration",
        text: "iteration: leaf.iteration,",
        instead: "",
        test: [`${RULES}/cache.test.tsx`, "every iteration of a loop has its own entry"],
      },
      {
        id: "cache C1 schema",
        text: `schema: z.toJSONSchema(leaf.output.schema, { unrepresentable: "any" }),`,
        instead: "",
        test: [
          `${RULES}/cache.test.tsx`,
          "C1: a schema that says something else makes another execution, though the kept row would fit it",
        ],
      },
      {
        id: "cache C1 version",
        text: `    version,
    agents`,
        instead: "    agents",
        test: [`${RULES}/cache.test.tsx`, "%s: %j makes the body run %i times in all"],
      },
      {
        id: "cache C1 agents",
        text: `agents: leaf.body.mode === "agent" ? leaf.body.agents.map(agentName) : null,`,
        instead: "",
        test: [`${RULES}/cache.test.tsx`, "without by, another prompt or another agent is another execution"],
      },
      {
        id: "cache C1 reach",
        text: `    reach,
`,
        instead: "",
        test: [
          `${RULES}/cache.test.tsx`,
          "scope run keeps to the run, workflow to the workflow, global to nothing; a key may be shared by nodes",
        ],
      },
      {
        id: "cache C1 node",
        text: "node: key === null ? { id: leaf.nodeId } : { key },",
        instead: "",
        test: [`${RULES}/cache.test.tsx`, "%s: %j makes the body run %i times in all"],
      },
      {
        id: "cache C2",
        text: "dependsOn: dependsOn(leaf, policy, subject),",
        instead: "",
        test: [
          `${RULES}/cache.test.tsx`,
          "without by, the run's input and the function's text are what the result depends on",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/cache/through-cache.ts`,
    guards: [
      {
        id: "cache C3",
        text: `return success ? { kind: "hit", row } : { kind: "miss", key };`,
        instead: `return { kind: "hit", row };`,
        test: [
          `${RULES}/cache.test.tsx`,
          "a change of the schema passes the entry over, and a row that no longer fits is not taken",
        ],
      },
      {
        id: "cache C3 age",
        text: "clock.now() - entry.atMs >= policy.ttlMs",
        instead: "false",
        test: [`${RULES}/cache.test.tsx`, "an entry that is ttlMs old is passed over"],
      },
    ],
  },
  {
    file: `${ENGINE}/cache/sqlite.ts`,
    guards: [
      {
        id: "cache K2",
        text: "INSERT OR REPLACE INTO _smithers_cache",
        instead: "INSERT OR IGNORE INTO _smithers_cache",
        test: [
          `${ENGINE}/store/sqlite.test.ts`,
          "K1, K2: a cache entry is written with its commit, the newest stays, and a stale commit leaves none",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/run/outcomes.ts`,
    guards: [
      {
        id: "cache side effects",
        text: "&& !this.#in.state.tools.get(leaf.key)?.sideEffect)",
        instead: ")",
        test: [
          `${RULES}/tool-calls.test.tsx`,
          "a task that called a tool with side effects is never kept in the cache",
        ],
      },
      {
        id: "outcomes unwritable row",
        text: "return unwritable(leaf, error);",
        instead: "throw error;",
        test: [
          `${WORKFLOW}/garbage-agents.test.tsx`,
          "a circle is recorded where the schema leaves it out, and INVALID_OUTPUT where it would be in the row",
        ],
      },
      {
        id: "gates G2 no retry",
        text: "if (quotaUntilMs !== null) {",
        instead: "if (false) {",
        test: [
          `${RULES}/gates.test.tsx`,
          "G2: %s parks the run in waiting-quota until that time; it wakes by itself and no retry is used up",
        ],
      },
      {
        id: "hijack J1 no retry",
        text: "else if (handedOver) waits.open(body.leaf);",
        instead: "",
        test: [
          `${RULES}/hijack.test.tsx`,
          "J1: out of its work a session is taken between tool calls, costs no retry, and comes back to the next attempt",
        ],
      },
      {
        id: "loop L4 given up",
        text: `containment.isGivenUp(body.leaf)) containment.cancel(body);
    else if`,
        instead: `false) containment.cancel(body);
    else if`,
        test: [`${RULES}/failures.test.tsx`, "only what stands in the try is stopped; what stands beside it goes on"],
      },
    ],
  },
  {
    file: `${ENGINE}/run/agent-chain.ts`,
    guards: [
      {
        id: "agent chain B2 round",
        text: "if (turn.inRound) return nowMs;",
        instead: "",
        test: [
          `${RULES}/agents.test.tsx`,
          "B2: nobody waits between the agents of one round, and everybody between two",
        ],
      },
      {
        id: "agent chain B2 own attempts",
        text: ".filter(({ failures }) => failures <= leaf.retry.retries)",
        instead: "",
        test: [
          `${RULES}/agents.test.tsx`,
          "B2: wherever an agent without use stands in a chain, each other has its attempts: %s",
        ],
      },
      {
        id: "agent chain B2 unusable",
        text: "if (unusable) this.#unusable.add(agent);",
        instead: "",
        test: [`${RULES}/agents.test.tsx`, "B2: it does not ask an agent without use again"],
      },
      {
        id: "agent chain two places",
        text: ".toSorted((a, b) => (failedBy[a] ?? 0) - (failedBy[b] ?? 0))",
        instead: "",
        test: [`${RULES}/agents.test.tsx`, "an agent that stands twice in a chain is asked twice"],
      },
      {
        id: "agent chain first that begins anew",
        text: "const dueMs = agent ? Math.min(untilMs, ...ends) : untilMs;",
        instead: "const dueMs = untilMs;",
        test: [`${RULES}/gates.test.tsx`, "another agent of the chain is asked before the run waits for a quota"],
      },
    ],
  },
  {
    file: `${ENGINE}/run/heartbeats.ts`,
    guards: [
      {
        id: "heartbeats B1 throttle",
        text: "const THROTTLE_MS = 500;",
        instead: "const THROTTLE_MS = 0;",
        test: [
          `${RULES}/task.test.tsx`,
          "heartbeats are written at most every 500 ms, the last one always, and none is an event",
        ],
      },
      {
        id: "heartbeats B1 last",
        text: "if (beat !== undefined) this.#due.push({ ...parseStateKey(key), payload: beat });",
        instead: "",
        test: [
          `${RULES}/task.test.tsx`,
          "heartbeats are written at most every 500 ms, the last one always, and none is an event",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/run/bodies.ts`,
    guards: [
      {
        id: "session of an attempt that is over",
        text: "if (this.#live.get(key) !== body) return; // a later attempt has its own",
        instead: "",
        test: [
          `${RULES}/hijack.test.tsx`,
          "the session that was reported last reaches the next attempt, whatever an attempt that is over reports",
        ],
      },
      {
        id: "words W1 never lost",
        text: `      words?.flush();
`,
        instead: "",
        test: [
          `${WORKFLOW}/agent-usage.test.tsx`,
          "W1: what an agent says on the way is gathered into few events, in order, and none is lost at the end",
        ],
      },
      {
        id: "hijack J1 between calls",
        text: "&& body.calling === 0)",
        instead: ")",
        test: [
          `${RULES}/hijack.test.tsx`,
          "J1: out of its work a session is taken between tool calls, costs no retry, and comes back to the next attempt",
        ],
      },
      {
        id: "bodies end once",
        text: "if (this.#live.get(body.leaf.key) !== body || this.#ended.some((other) => other.body === body)) return;",
        instead: "",
        test: [
          `${RULES}/failures.test.tsx`,
          "a body that ignores its abort holds the catch for five seconds, and what it says later is not heard",
        ],
      },
      {
        id: "bodies session limit",
        text: "if (sizeBytes > MAX_SESSION_BYTES)",
        instead: "if (false)",
        test: [`${RULES}/hijack.test.tsx`, "a session of more than 64 KB is refused where it is reported"],
      },
    ],
  },
];
