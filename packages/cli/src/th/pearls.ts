import { resolve } from "node:path";
import { text as readAll } from "node:stream/consumers";
import type { Command } from "commander";
import { PearlId } from "@smooth/protocol/ids";
import { DependencyType, NewPearl, PearlStatus, type Pearl } from "@smooth/protocol/pearls";
import type { PearlDetail } from "@smooth/protocol/gateway";
import { connect } from "../connect.ts";
import { clean, clockTime, list, paint, say, sayIfCut, show, type JsonFlag } from "../output.ts";
import { parseArgument, rpcCommand } from "../program.ts";

/** Work items. A text argument of `-` is read from stdin, byte for byte. */
export function pearlCommands(program: Command): void {
  const pearls = program.command("pearls").description("Work items: create, order, discuss, close.");
  rpcCommand(pearls, "create <title>", "createPearl")
    .option("-d, --description <text>", "Markdown; - reads stdin", "")
    .option("-p, --priority <0-4>", "0 is most urgent", "2")
    .option("-t, --type <type>", "task, bug, feature, epic or chore", "task")
    .option("-l, --label <label...>", "any number")
    .option("--repo <path>", "the git repository it is about", ".")
    .option("--verify <command>", "a shell command whose exit code 0 means done")
    .option("--budget <usd>", "stop before spending more")
    .option("--json", "one JSON document")
    .action(create);
  listCommand(
    rpcCommand(pearls, "list", "listPearls").option("--status <status>", PearlStatus.options.join(", ")),
    false,
  );
  listCommand(pearls.command("ready").description("Open pearls that nothing blocks."), true);
  rpcCommand(pearls, "show <pearl>", "getPearl")
    .option("--json", "one JSON document")
    .action(async (id: string, flags: JsonFlag) =>
      show(await connect().call("getPearl", { pearlId: pearlId(id) }), flags, describePearl),
    );
  rpcCommand(pearls, "close <pearl>", "closePearl")
    .option("--reason <text>", "kept as a comment", "")
    .action(async (id: string, { reason }: { reason: string }) => {
      const { pearl } = await connect().call("closePearl", { pearlId: pearlId(id), reason });
      say(`closed: ${clean(pearl.title)}`);
    });
  rpcCommand(pearls, "comment <pearl> <text>", "commentPearl").action(async (id: string, text: string) => {
    const { comment } = await connect().call("commentPearl", { pearlId: pearlId(id), body: await textOrStdin(text) });
    say(`commented: ${comment.id}`);
  });
  rpcCommand(pearls, "dep <pearl> <on>", "addDependency")
    .option("-t, --type <type>", `${DependencyType.options.join(", ")}: <pearl> waits for <on>`, "blocks")
    .action(async (from: string, to: string, { type }: { type: string }) => {
      await connect().call("addDependency", {
        from: pearlId(from),
        to: pearlId(to),
        type: parseArgument(DependencyType, type, "--type"),
      });
      say(`${from} ${type === "blocks" ? "waits for" : `is linked (${type}) to`} ${to}`);
    });
}

interface CreateFlags extends JsonFlag {
  readonly description: string;
  readonly priority: string;
  readonly type: string;
  readonly label?: string[];
  readonly repo: string;
  readonly verify?: string;
  readonly budget?: string;
}

async function create(title: string, flags: CreateFlags): Promise<void> {
  const wish = {
    title,
    description: await textOrStdin(flags.description),
    priority: Number(flags.priority),
    type: flags.type,
    labels: flags.label ?? [],
    repo: resolve(flags.repo),
    verify: flags.verify ?? null,
    budgetUsd: flags.budget === undefined ? null : Number(flags.budget),
  };
  const { pearl } = await connect().call("createPearl", parseArgument(NewPearl, wish, "the pearl"));
  show(pearl, flags, ({ id }) => [id]);
}

function listCommand(command: Command, ready: boolean): void {
  command
    .option("--limit <n>", "how many", "100")
    .option("--json", "one JSON document")
    .action(async ({ status, limit, ...flags }: JsonFlag & { status?: string; limit: string }) => {
      const answer = await connect().call("listPearls", {
        ready,
        limit: Number(limit),
        ...(status !== undefined && { status: parseArgument(PearlStatus, status, "--status") }),
      });
      show(answer, flags, ({ pearls }) =>
        list(pearls, row, `no pearls${ready ? " are ready" : ""}; make one with \`th pearls create\``),
      );
      sayIfCut(answer.pearls.length, Number(limit));
    });
}

const row = ({ id, priority, status, type, title }: Pearl): string[] => [id, `P${priority}`, status, type, title];

function describePearl({ pearl, comments, history, dependencies, blockedBy, runs }: PearlDetail): string[] {
  return [
    `${pearl.id}  ${paint("bold", clean(pearl.title))}`,
    `${pearl.status}, P${pearl.priority}, ${pearl.type}${pearl.labels.map((label) => ` #${clean(label)}`).join("")}, ${clean(pearl.repo)}`,
    ...(blockedBy.length > 0 ? [`waits for ${blockedBy.join(", ")}`] : []),
    ...(pearl.description === "" ? [] : ["", clean(pearl.description)]),
    ...section(
      "dependencies",
      dependencies.map(({ from, to, type }) => `${from} ${type} ${to}`),
    ),
    ...section(
      "comments",
      comments.map(({ author, atMs, body }) => `${clockTime(atMs)} ${author}: ${body}`),
    ),
    ...section(
      "history",
      history.map(({ atMs, by, field, before, after }) => `${clockTime(atMs)} ${by}: ${field} ${before} → ${after}`),
    ),
    ...section(
      "runs",
      runs.map(({ runId, status, reason }) => `${runId} ${status} ${reason ?? ""}`),
    ),
  ];
}

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ["", paint("dim", title), ...lines.map((line) => `  ${clean(line).trimEnd()}`)];

export const pearlId = (text: string): PearlId => parseArgument(PearlId, text, "pearl");

const textOrStdin = async (text: string): Promise<string> => (text === "-" ? readAll(process.stdin) : text);
