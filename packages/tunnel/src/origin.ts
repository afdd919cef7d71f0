import type { Bytes } from "./codec.ts";
import type { Message } from "./credit.ts";
import type { Header } from "./hygiene.ts";

/** What the tunnel leads to on the host: the gateway's tunnel listener.
 *  Never throws and never rejects: whatever goes wrong is an outcome. `abort` may be called at any time, more than once. */
export interface Origin {
  request(request: OriginRequest): OriginExchange;
  connect(request: OriginRequest): OriginDial;
}

export interface OriginRequest {
  readonly method: string;
  /** Origin-form, already checked. */
  readonly path: string;
  readonly headers: readonly Header[];
  readonly hasBody: boolean;
}

export type OriginAnswer =
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers: readonly Header[];
      /** Ends early by throwing when the origin broke off. */
      readonly body: AsyncIterable<Bytes>;
    }
  | { readonly kind: "refused-request" }
  | { readonly kind: "unreachable" };

export interface OriginExchange {
  readonly answer: Promise<OriginAnswer>;
  /** Resolves when the origin took the bytes, or never will. */
  write(bytes: Bytes): Promise<void>;
  end(): void;
  abort(): void;
}

export interface OriginSocket {
  readonly protocol: string;
  /** Ends when the socket is closed. Reading slowly holds the origin back. */
  readonly messages: AsyncIterable<Message>;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  /** Resolves when the origin took the message, or never will. */
  send(message: Message): Promise<void>;
  close(code: number, reason: string): void;
}

export type OriginUpgrade =
  | { readonly kind: "open"; readonly socket: OriginSocket }
  | { readonly kind: "answer"; readonly status: number }
  | { readonly kind: "refused-request" }
  | { readonly kind: "unreachable" };

export interface OriginDial {
  readonly answer: Promise<OriginUpgrade>;
  abort(): void;
}
