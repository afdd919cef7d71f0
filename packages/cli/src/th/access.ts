import type { Command } from "commander";
import { SmoothError } from "@smooth/protocol/errors";
import { GrantScope, type Ask, type AskDecision } from "@smooth/protocol/asks";
import type { GatewayClient } from "@smooth/gateway/client";
import { actionText } from "@smooth/protocol/ask-text";
import { type ChoiceFlags, chosen } from "../choice.ts";
import { connect } from "../connect.ts";
import { clean, list, say, show, type JsonFlag } from "../output.ts";
import { parseArgument, rpcCommand } from "../program.ts";
import { onlyOne } from "../watch.ts";

/** What waits for a human, and the answer. */
export function accessCommands(program: Command): void {
  rpcCommand(program, "inbox", "listAsks")
    .option("--all", "decided, expired and void ones too")
    .option("--json", "one JSON document")
    .action(({ all, ...flags }: JsonFlag & { all?: boolean }) => inbox(all === true ? "all" : "pending", flags));
  rpcCommand(program, "answer <request>", "answerQuestion")
    .option("--value <json>", "the answer")
    .action(async (request: string, flags: { value?: string }) =>
      (await import("../smithers/verbs/human.ts")).answer([request], flags),
    );

  const access = program.command("access").description("What operators ask for, and your answer.");
  rpcCommand(access, "pending", "listAsks")
    .option("--json", "one JSON document")
    .action((flags: JsonFlag) => pending(flags));
  rpcCommand(access, "show <ask-or-pearl>", "listAsks")
    .description("The exact action that a yes would allow, with what there is to choose from.")
    .option("--json", "one JSON document")
    .action((ref: string, flags: JsonFlag) => showAsk(ref, flags));
  rpcCommand(access, "approve <ask-or-pearl> [domain]", "decideAsk")
    .option("--grant <scope>", GrantScope.options.join(", "), "once")
    .option("--choose <option>", "of an approval that offers options")
    .option("--rank <options>", "all options, the best first, by commas")
    .option("--note <text>", "what the operator and the record should know")
    .action((ref: string, domain: string | undefined, { grant, note, ...choice }: ApproveFlags) =>
      decide(
        { ref, domain },
        {
          verdict: "approve",
          grant: parseArgument(GrantScope, grant, "--grant"),
          ...chosen(choice),
          ...noted(note),
        },
      ),
    );
  rpcCommand(access, "deny <ask-or-pearl> [domain]", "decideAsk")
    .option("--note <text>", "what the operator and the record should know")
    .action((ref: string, domain: string | undefined, { note }: { note?: string }) =>
      decide({ ref, domain }, { verdict: "deny", ...noted(note) }),
    );
}

interface ApproveFlags extends ChoiceFlags {
  readonly grant: string;
  readonly note?: string;
}

const noted = (note: string | undefined): { note?: string } => (note === undefined ? {} : { note });

/** Everything that waits for a person: what is to be decided, and what is to be answered. */
async function inbox(status: "pending" | "all", flags: JsonFlag): Promise<void> {
  const client = connect();
  const [{ asks }, { questions }] = await Promise.all([
    client.call("listAsks", { status }),
    client.call("listQuestions", {}),
  ]);
  show({ asks, questions }, flags, () =>
    list(
      [
        ...asks.map(askRow),
        ...questions.map((asked) => [asked.requestId, asked.runId, "", "answer it", `${asked.title}: ${asked.prompt}`]),
      ],
      (row) => row,
      "nothing waits for you",
    ),
  );
  if (questions.length > 0) say("answer a question with `th answer <request> --value '<json>'`");
}

async function pending(flags: JsonFlag): Promise<void> {
  show(await connect().call("listAsks", { status: "pending" }), flags, ({ asks }) =>
    list(asks, askRow, "nothing waits for you"),
  );
}

const askRow = (ask: Ask): string[] => [ask.id, ask.pearlId ?? ask.runId, ask.risk, ask.status, ask.question];

async function showAsk(ref: string, flags: JsonFlag): Promise<void> {
  const ask = await findAsk(connect(), { ref, domain: undefined });
  show({ ask }, flags, () => {
    const { choice } = ask.subject.kind === "approval" ? ask.subject : {};
    return [
      ...list([ask], askRow, ""),
      `why: ${clean(ask.reason)}`,
      "",
      ...actionText(ask.subject).split("\n").map(clean),
      ...(choice ? ["", ...list(choice.options, ({ key, label, summary = "" }) => [key, label, summary], "")] : []),
    ];
  });
}

interface AskRef {
  readonly ref: string;
  readonly domain: string | undefined;
}

async function decide(wanted: AskRef, decision: AskDecision): Promise<void> {
  const client = connect();
  const { id, version } = await findAsk(client, wanted);
  const { ask } = await client.call("decideAsk", { askId: id, version, decision });
  say(`${decision.verdict === "approve" ? "approved" : "denied"}: ${ask.question}`);
}

async function findAsk(client: GatewayClient, { ref, domain }: AskRef): Promise<Ask> {
  const byId = ref.startsWith("ask-");
  const { asks } = await client.call("listAsks", { status: byId ? "all" : "pending" });
  const matching = asks.filter(
    (ask) =>
      (byId ? ask.id === ref : ask.pearlId === ref) &&
      (domain === undefined || (ask.subject.kind === "network" && ask.subject.host === domain.toLowerCase())),
  );
  const what = domain === undefined ? ref : `${domain} by ${ref}`;
  return onlyOne(matching, new SmoothError("ASK_NOT_FOUND", `nothing is asked for ${what}`));
}
