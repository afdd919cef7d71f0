export interface Limits {
  /** One request body, or one WebSocket message from a client. */
  readonly bodyBytes: number;
  /** How long a reader may take nothing before it is dropped. */
  readonly stallMs: number;
  /** Requests and streams open at once on one socket. */
  readonly socketCalls: number;
  /** Per caller. */
  readonly requests: { readonly burst: number; readonly perSecond: number };
}

export const DEFAULT_LIMITS: Limits = {
  bodyBytes: 1_048_576,
  stallMs: 30_000,
  socketCalls: 64,
  requests: { burst: 300, perSecond: 60 },
};
