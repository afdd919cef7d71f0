import { resolve } from "node:path";
import type { FlowSchedule } from "@smooth/protocol/gateway-flows";
import { z } from "zod";
import { connect } from "../../connect.ts";
import { list as rows, say, show, type JsonFlag } from "../../output.ts";
import { parseArgument } from "../../program.ts";
import { parseObject } from "./arguments.ts";

/** Schedules of workflow files. */

export async function list(_: readonly string[], flags: JsonFlag): Promise<void> {
  show(await connect().call("listSchedules", {}), flags, ({ schedules }) =>
    rows(schedules, row, "no schedules; make one with `smithers cron add <pattern> <workflow>`"),
  );
}

const row = ({ scheduleId, pattern, timezone, workflow, nextMs, lastRunId }: FlowSchedule): string[] => [
  scheduleId,
  `${pattern} ${timezone}`,
  nextMs === null ? "rests" : new Date(nextMs).toISOString(),
  lastRunId ?? "",
  workflow,
];

interface AddFlags extends JsonFlag {
  readonly input?: string;
  readonly timezone?: string;
  readonly catchUp?: string;
  readonly overlap?: string;
}

export async function add([pattern = "", workflow = ""]: readonly string[], flags: AddFlags): Promise<void> {
  const { input, timezone, catchUp, overlap } = flags;
  const answer = await connect().call("createSchedule", {
    pattern,
    workflow: resolve(workflow),
    ...(timezone !== undefined && { timezone }),
    ...(input !== undefined && { input: parseObject(input, "--input") }),
    ...(catchUp !== undefined && { catchUp: parseArgument(z.enum(["skip", "once", "all"]), catchUp, "--catch-up") }),
    ...(overlap !== undefined && {
      overlap: parseArgument(z.enum(["skip", "queue", "cancel-previous"]), overlap, "--overlap"),
    }),
  });
  show(answer, flags, ({ schedule }) => [schedule.scheduleId]);
}

export async function remove([scheduleId = ""]: readonly string[]): Promise<void> {
  await connect().call("deleteSchedule", { scheduleId });
  say(`forgotten: ${scheduleId}`);
}

export const start = ([id]: readonly (string | undefined)[]): Promise<void> => setPaused(id, false);
export const stop = ([id]: readonly (string | undefined)[]): Promise<void> => setPaused(id, true);

async function setPaused(id: string | undefined, paused: boolean): Promise<void> {
  const client = connect();
  const { schedules } = await client.call("listSchedules", {});
  const meant = id === undefined ? schedules.map(({ scheduleId }) => scheduleId) : [id];
  if (meant.length === 0) say("no schedules");
  for (const scheduleId of meant) {
    await client.call("pauseSchedule", { scheduleId, paused });
    say(`${scheduleId} ${paused ? "rests" : "fires again"}`);
  }
}
