import type { RunView } from "@smooth/protocol/run-view";
import type { ReactNode } from "react";
import { Card } from "./controls.tsx";

/** What the run used. Unpriced is not $0: a call without a price is counted, never summed. */
export function Cost({ usage }: { readonly usage: RunView["usage"] }): ReactNode {
  const { costUsd, unpricedCalls, inputTokens, outputTokens } = usage;
  const rows = [
    ["Priced so far", costUsd === null ? "nothing priced yet" : `$${costUsd.toFixed(4)}`],
    ["Calls without a price", unpricedCalls === 0 ? "none" : `${unpricedCalls}, in no sum`],
    ["Tokens in", inputTokens.toLocaleString("en")],
    ["Tokens out", outputTokens.toLocaleString("en")],
  ];
  return (
    <Card>
      <dl className="divide-y divide-line">
        {rows.map(([name, value]) => (
          <div key={name} className="flex min-h-11 items-center justify-between gap-4 px-4 py-2 text-sm">
            <dt className="text-soft">{name}</dt>
            <dd className="tabular-nums">{value}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}
