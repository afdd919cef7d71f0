/** Errors as workflow authors handle them: by code. The codes are those of `ERRORS`, where each says what it means. */
import { ERROR_REFERENCE_URL, ERRORS, SmoothError, type ErrorCode } from "@smooth/protocol/errors";

export { ERROR_REFERENCE_URL, SmoothError as SmithersErrorInstance } from "@smooth/protocol/errors";

export type KnownSmithersErrorCode = ErrorCode;
/** Known codes, and those of one's own. */
export type SmithersErrorCode = KnownSmithersErrorCode | (string & {});

/** What carries a code: an error that was thrown here, or the `error` of a run's result. */
export interface SmithersError {
  readonly code: SmithersErrorCode;
  readonly message: string;
  /** Another name of the message. */
  readonly summary?: string | undefined;
  readonly docsUrl?: string | undefined;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  readonly cause?: unknown;
}

export const knownSmithersErrorCodes = Object.keys(ERRORS) as readonly KnownSmithersErrorCode[];

export const isKnownSmithersErrorCode = (code: string): code is KnownSmithersErrorCode => Object.hasOwn(ERRORS, code);

export const isSmithersError = (error: unknown): error is SmithersError =>
  typeof error === "object" &&
  error !== null &&
  typeof (error as { code?: unknown }).code === "string" &&
  typeof (error as { message?: unknown }).message === "string";

export interface SmithersErrorDefinition {
  readonly description: string;
  readonly httpStatus: number;
  readonly exitCode: number;
}

export function getSmithersErrorDefinition(code: SmithersErrorCode): SmithersErrorDefinition | undefined {
  if (!isKnownSmithersErrorCode(code)) return undefined;
  const { about, http, exit } = ERRORS[code];
  return { description: about, httpStatus: http, exitCode: exit };
}

/** One page explains them all. */
export const getSmithersErrorDocsUrl = (_code: SmithersErrorCode): string => ERROR_REFERENCE_URL;

export interface SmithersErrorJson {
  readonly message: string;
  readonly code?: SmithersErrorCode;
  readonly docsUrl?: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: SmithersErrorJson;
  readonly stack?: string;
}

/** Everything that can be said of a throwable, as plain data. */
export function errorToJson(error: unknown): SmithersErrorJson {
  if (!(error instanceof Error)) return { message: String(error) };
  const code = isSmithersError(error) ? error.code : undefined;
  return {
    message: error.message,
    ...(code === undefined ? {} : { code, docsUrl: getSmithersErrorDocsUrl(code) }),
    ...(error instanceof SmoothError ? { details: error.details } : {}),
    ...(error.cause === undefined ? {} : { cause: errorToJson(error.cause) }),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
  };
}
