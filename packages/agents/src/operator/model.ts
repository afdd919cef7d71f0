import type { Clock, Random } from "@smooth/platform/ports";
import type { ChatMessage, ToolCall } from "@smooth/protocol/operator";
import type { ToolSchema } from "@smooth/tools/json-schema";

/** The Model port and the patience around it.
 *  M1. A refusal that may pass (429, 5xx, a cut stream) is asked again, waiting longer each time; any other ends the operator.
 *  M2. A second attempt never shows the person the same words twice.
 *  M3. Of several models the next is asked only when the one before failed without having said a word. */

export interface ModelRequest {
  readonly messages: readonly ChatMessage[];
  readonly tools: readonly ToolSchema[];
  readonly signal: AbortSignal;
  readonly onText: (text: string) => void;
}

export type ModelAnswer =
  | {
      readonly kind: "answer";
      readonly text: string;
      /** Ids and names as the model gave them: may be empty. */
      readonly toolCalls: readonly ToolCall[];
      readonly model: string;
      readonly usage: { readonly inputTokens: number; readonly outputTokens: number } | null;
    }
  | {
      readonly kind: "failed";
      readonly code: "PROVIDER_FAILED" | "POLICY_DENIED" | "RATE_LIMITED";
      readonly message: string;
      readonly retry: { readonly afterMs: number | null } | null;
    };

export interface Model {
  /** Rejects only when the signal aborts. */
  complete(request: ModelRequest): Promise<ModelAnswer>;
}

/** M3. The failure that may pass, if there is one, is the failure of all. */
export function firstThatAnswers(models: readonly Model[]): Model {
  const [only] = models;
  if (only && models.length === 1) return only;
  return {
    async complete(request) {
      let failed: ModelAnswer = { kind: "failed", code: "PROVIDER_FAILED", message: "there is no model", retry: null };
      for (const model of models) {
        let said = false;
        const onText = (text: string): void => {
          said = true;
          request.onText(text);
        };
        const answer = await model.complete({ ...request, onText });
        if (answer.kind === "answer" || said) return answer;
        if (failed.kind === "failed" && failed.retry === null) failed = answer;
      }
      return failed;
    },
  };
}

export interface Patience {
  readonly clock: Clock;
  readonly random: Random;
  readonly maxAttempts: number;
}

export async function askPatiently(model: Model, request: ModelRequest, patience: Patience): Promise<ModelAnswer> {
  let shown = "";
  for (let attempt = 1; ; attempt += 1) {
    let text = "";
    const onText = (more: string): void => {
      text += more;
      if (text.length <= shown.length || !text.startsWith(shown)) return; // M2
      request.onText(text.slice(shown.length));
      shown = text;
    };
    const answer = await model.complete({ ...request, onText });
    if (answer.kind === "answer" || answer.retry === null || attempt >= patience.maxAttempts) return answer;
    await patience.clock.sleep(delayMs(attempt, answer.retry.afterMs, patience.random), request.signal); // M1
  }
}

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 60_000;

function delayMs(attempt: number, afterMs: number | null, random: Random): number {
  const backoffMs = FIRST_DELAY_MS * 2 ** (attempt - 1) * (0.5 + random());
  return Math.min(MAX_DELAY_MS, afterMs ?? backoffMs);
}
