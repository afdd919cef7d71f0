import { resolve } from "node:path";
import { cancelHuman, listHumanRequests } from "@smooth/engine/human";
import { findResumable } from "@smooth/engine/control";
import { parseInput } from "@smooth/engine/input";
import type { MemoryFact, MemoryStore } from "@smooth/engine/memory";
import { parseNamespace } from "@smooth/engine/memory/namespace";
import { createSchedule, deleteSchedule, pauseSchedule, preview } from "@smooth/engine/schedules";
import type { Schedule, ScheduleStore } from "@smooth/engine/schedules/port";
import { scoresOfRun } from "@smooth/engine/scorers/aggregate";
import type { Supervisor } from "@smooth/engine/supervisor";
import { decodeRow } from "@smooth/engine/table";
import type { Handlers } from "@smooth/protocol/gateway";
import type { Fact, FlowSchedule } from "@smooth/protocol/gateway-flows";
import type { Retention } from "./retention.ts";
import { flowOf, onlyOwnerHere, travelHandlers, type TravelDeps } from "./travel.ts";

/** What a host does for runs of workflow files beside running them: schedules, memory, scores, questions, rounds, retention. */

export interface FlowHandlerDeps extends TravelDeps {
  readonly schedules: ScheduleStore;
  readonly memory: MemoryStore;
  readonly supervisor: Pick<Supervisor, "tick">;
  readonly retention: Retention;
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };
/** What is not given has its default. */
const defined = <T extends object>(given: T): Defined<T> =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Defined<T>;

const OK = { ok: true } as const;

export function flowHandlers(deps: FlowHandlerDeps) {
  return {
    ...travelHandlers(deps),
    ...scheduleHandlers(deps),
    ...memoryHandlers(deps),
    ...questionHandlers(deps),
    ...upkeepHandlers(deps),
    runScores: async ({ runId, nodeId }) => {
      const { runId: known } = flowOf(deps, runId);
      const scores = await scoresOfRun(deps.engine.store, known);
      return { scores: scores.filter((score) => nodeId === undefined || score.nodeId === nodeId) };
    },
  } satisfies Partial<Handlers>;
}

function scheduleHandlers({ schedules, engine: { clock, ids }, loadWorkflow }: FlowHandlerDeps) {
  const shown = async (schedule: Schedule): Promise<FlowSchedule> => {
    const { scheduleId, pattern, timezone, workflow, paused, catchUp, overlap } = schedule;
    const last = (await schedules.slots(scheduleId)).find(({ state }) => state === "launched");
    const nextMs = preview(schedule, clock.now(), 1)[0] ?? null;
    return {
      scheduleId,
      pattern,
      timezone,
      workflow,
      paused,
      catchUp,
      overlap,
      nextMs,
      lastRunId: last?.runId ?? null,
    };
  };
  return {
    listSchedules: async () => ({ schedules: await Promise.all((await schedules.list()).map(shown)) }),
    createSchedule: async ({ pattern, workflow, ...given }, caller) => {
      onlyOwnerHere(caller, "schedule a workflow file");
      const file = resolve(workflow);
      const { inputSchema } = await loadWorkflow(file);
      parseInput(inputSchema, given.input ?? {}); // what cannot start is refused now, not at night
      const made = await createSchedule({ schedules, clock, ids }, { pattern, workflow: file, ...defined(given) });
      return { schedule: await shown(made) };
    },
    deleteSchedule: async ({ scheduleId }, caller) => {
      onlyOwnerHere(caller, "forget a schedule");
      await deleteSchedule(schedules, scheduleId);
      return OK;
    },
    pauseSchedule: async ({ scheduleId, paused }, caller) => {
      onlyOwnerHere(caller, "change a schedule");
      await pauseSchedule({ schedules, clock }, scheduleId, paused);
      return OK;
    },
  } satisfies Partial<Handlers>;
}

function memoryHandlers({ memory }: FlowHandlerDeps) {
  const shown = ({ key, value, createdAt, expiresAt }: MemoryFact): Fact => ({ key, value, createdAt, expiresAt });
  return {
    listFacts: async ({ namespace, key }) => {
      const place = parseNamespace(namespace);
      if (key === undefined) return { facts: (await memory.list(place)).map(shown) };
      const fact = await memory.get(place, key);
      return { facts: fact ? [shown(fact)] : [] };
    },
    recallFacts: async ({ namespace, query, topK }) => ({
      facts: (await memory.recall(parseNamespace(namespace), query, topK)).map(shown),
    }),
  } satisfies Partial<Handlers>;
}

function questionHandlers({ engine: { store, clock }, supervisor }: FlowHandlerDeps) {
  return {
    listQuestions: async (filter) => ({ questions: [...(await listHumanRequests(store, defined(filter)))] }),
    cancelQuestion: async ({ requestId, note }, { name: by }) => {
      await cancelHuman(store, { requestId, by, atMs: clock.now(), ...(note !== undefined && { note }) });
      await supervisor.tick();
      return OK;
    },
  } satisfies Partial<Handlers>;
}

function upkeepHandlers({ engine, isAlive, supervisor, retention, runLog, loadWorkflow }: FlowHandlerDeps) {
  return {
    superviseRuns: async ({ dryRun }) => {
      if (!dryRun) {
        const { resumed, failed, waiting, givenUp } = await supervisor.tick();
        return { resumed: [...resumed], failed: [...failed], waiting: [...waiting], givenUp: [...givenUp] };
      }
      const check = { isAlive, host: engine.owner.host, nowMs: engine.clock.now() };
      const found = await findResumable(engine.store, check);
      return { resumed: found.map(({ run }) => run.runId), failed: [], waiting: [], givenUp: [] };
    },
    collectGarbage: async ({ dryRun, olderThanMs: maxAgeMs, keepNewest, maxBytes }) => {
      const done = await retention.collect({ dryRun, maxAgeMs, keepNewest, maxBytes });
      const { remove, needed, folders, payloads } = done;
      return { remove: [...remove], needed: [...needed], folders: [...folders], payloads };
    },
    getRunOutput: async ({ runId }) => {
      const { workflow } = flowOf({ runLog }, runId);
      const { tables } = (await loadWorkflow(workflow)).registry;
      const rows = (await Promise.all(tables.map((table) => engine.store.outputs(runId, table)))).flat();
      const last = rows.findLast(({ table }) => table.name === "output");
      if (last) return { output: decodeRow(last.table, last.cells), recorded: [] };
      const named = rows.map(({ nodeId, iteration, table }) => ({ nodeId, iteration, output: table.name }));
      return { output: null, recorded: named };
    },
  } satisfies Partial<Handlers>;
}
