import type { Fact } from "@smooth/protocol/gateway-flows";
import { SmoothError } from "@smooth/protocol/errors";
import { connect } from "../../connect.ts";
import { list as rows, show, type JsonFlag } from "../../output.ts";
import { whole } from "./arguments.ts";

/** What workflows remember. */

export async function list([namespace = ""]: readonly string[], flags: JsonFlag): Promise<void> {
  show(await connect().call("listFacts", { namespace }), flags, ({ facts }) =>
    rows(facts, row, `${namespace} holds nothing`),
  );
}

export async function get([namespace = "", key = ""]: readonly string[]): Promise<void> {
  const [fact] = (await connect().call("listFacts", { namespace, key })).facts;
  if (!fact) throw new SmoothError("NOT_FOUND", `${namespace} holds no ${key}`);
  show(fact, { json: true }, () => []);
}

export async function recall(
  [query = ""]: readonly string[],
  flags: JsonFlag & { namespace: string; topK: string },
): Promise<void> {
  const asked = { namespace: flags.namespace, query, topK: whole(flags.topK, "--top-k", 1) };
  show(await connect().call("recallFacts", asked), flags, ({ facts }) => rows(facts, row, "nothing fits"));
}

const row = ({ key, value }: Fact): string[] => [key, JSON.stringify(value)];
