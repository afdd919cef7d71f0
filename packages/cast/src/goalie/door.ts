import type { AccessRequest } from "@smooth/protocol/policy";
import type { ApiFormat } from "@smooth/protocol/providers";
import type { Usage } from "./usage.ts";

/** What Goalie takes from the house, and what he tells it. */

export type NetworkRequest = Extract<AccessRequest, { kind: "network" }>;

export interface AuditLine {
  readonly host: string;
  readonly port: number;
  readonly method: string;
  readonly path: string | null;
  readonly verdict: "allowed" | "blocked";
  readonly rule: string;
  readonly status: number;
  readonly bytesOut: number;
  readonly bytesIn: number;
}

/** One provider behind a slot. `apiKey` never goes to the guest. */
export interface ModelTarget {
  readonly providerId: string;
  readonly baseUrl: string;
  readonly apiKey: string | null;
  readonly model: string;
  readonly format: ApiFormat;
  /** Output tokens of one answer, whatever the guest asks for; null: as the guest asks. */
  readonly maxTokens: number | null;
}

export interface ModelRoute {
  /** The operator's stand-in key. */
  readonly token: string;
  /** In order of preference; empty: the slot is unknown. */
  targets(slot: string): readonly ModelTarget[];
  /** Counted on the host, from the provider's own answer; null: it told nothing. */
  onUsage?(call: { readonly slot: string; readonly target: ModelTarget; readonly usage: Usage | null }): void;
}

export const MODEL_HOST = "model.th.internal";
