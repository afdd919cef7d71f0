import { initTRPC, TRPCError } from "@trpc/server";
import { ERRORS, type ErrorCode, SmoothError } from "@smooth/protocol/errors";
import { Role, ROLE_SCOPES, type Scope } from "@smooth/protocol/gateway";
import superjson from "superjson";
import { z } from "zod";
import { audit } from "./audit.ts";
import type { ApiContext, MemberContext } from "./context.ts";

/** The only way to make a procedure.
 *  R1. There is no procedure without a declared role: the bare tRPC builder does not leave this file.
 *  R2. The role is checked before the input is read; a denial is audited.
 *  R3. Every error carries `data.smooth = {code, message, details}`; the text of an unknown error stays here. */

interface Meta {
  readonly access: Role | "signed-in";
}

const t = initTRPC
  .context<ApiContext>()
  .meta<Meta>()
  .create({
    transformer: superjson,
    sse: { ping: { enabled: true, intervalMs: 5_000 }, client: { reconnectAfterInactivityMs: 15_000 } },
    errorFormatter: ({ shape, error }) => {
      const smooth = smoothOf(error).toJSON();
      const { code, httpStatus, path } = shape.data;
      return { ...shape, message: smooth.message, data: { code, httpStatus, path, smooth } };
    },
  });

export const router = t.router;
export const createCallerFactory = t.createCallerFactory;

const honest = t.procedure.use(async ({ ctx, next, path, getRawInput }) => {
  const result = await next();
  if (result.ok) {
    return result;
  }
  const smooth = smoothOf(result.error);
  if (smooth.code === "INTERNAL") {
    const input = JSON.stringify(await getRawInput().catch(() => null));
    ctx.log.error("api.bug", { path, error: String(result.error.cause ?? result.error), inputBytes: input?.length });
  }
  throw new TRPCError({ code: TRPC_CODES[ERRORS[smooth.code].http], message: smooth.message, cause: smooth });
});

/** For what concerns the person alone, in whatever org. */
export const signedIn = honest.meta({ access: "signed-in" }).use(({ ctx, next }) => {
  const { user } = ctx;
  if (!user) throw new SmoothError("UNAUTHENTICATED", "sign in first");
  return next({ ctx: { ...ctx, user } });
});

/** For members with this role or a higher one. */
export const procedure = (needed: Role) =>
  honest.meta({ access: needed }).use(async ({ ctx, next, path, getRawInput }) => {
    const member = memberOf(ctx);
    if (Role.options.indexOf(member.role) < Role.options.indexOf(needed)) {
      await auditDenial(member, { path, needed });
      throw new SmoothError("POLICY_DENIED", `${path} needs the role ${needed}; you are ${member.role}`, {
        details: { needed, role: member.role },
      });
    }
    if (hasNul(await getRawInput())) throw new SmoothError("INVALID_INPUT", "text cannot hold U+0000");
    return next({ ctx: member });
  });

/** The lowest role the gateway's own table gives this scope: dashboard and live session agree. */
export function roleWith(scope: Scope): Role {
  return Role.options.find((role) => (ROLE_SCOPES[role] as readonly Scope[]).includes(scope)) ?? "owner";
}

function memberOf(ctx: ApiContext): MemberContext {
  const { user, org, role } = ctx;
  if (!user) throw new SmoothError("UNAUTHENTICATED", "sign in first");
  if (!org || !role) throw new SmoothError("POLICY_DENIED", "you are not a member of any org yet");
  return { ...ctx, user, org, role };
}

async function auditDenial(
  { db, org, user, clock, role }: MemberContext,
  { path, needed }: { path: string; needed: Role },
): Promise<void> {
  const fact = { orgId: org.id, atMs: clock.now(), actor: user.email, action: "denied", subject: path };
  await db.$transaction((tx) => audit(tx, { ...fact, details: { needed, role } }));
}

function hasNul(value: unknown): boolean {
  if (typeof value === "string") return value.includes("\0");
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(([key, member]) => key.includes("\0") || hasNul(member));
}

const TRPC_CODES: Readonly<Record<(typeof ERRORS)[ErrorCode]["http"], TRPCError["code"]>> = {
  400: "BAD_REQUEST",
  401: "UNAUTHORIZED",
  403: "FORBIDDEN",
  404: "NOT_FOUND",
  405: "METHOD_NOT_SUPPORTED",
  409: "CONFLICT",
  413: "PAYLOAD_TOO_LARGE",
  415: "UNSUPPORTED_MEDIA_TYPE",
  429: "TOO_MANY_REQUESTS",
  499: "CLIENT_CLOSED_REQUEST",
  500: "INTERNAL_SERVER_ERROR",
  502: "BAD_GATEWAY",
  503: "SERVICE_UNAVAILABLE",
  504: "GATEWAY_TIMEOUT",
};

function smoothOf(error: TRPCError): SmoothError {
  const { cause, code } = error;
  if (cause instanceof SmoothError) return cause;
  if (cause instanceof z.ZodError) {
    const issues = cause.issues.map(({ path, message }) => ({ path: path.join("."), message }));
    const first = issues[0];
    return new SmoothError("INVALID_INPUT", `${first?.path || "the input"}: ${first?.message}`, {
      details: { issues },
    });
  }
  if (code === "NOT_FOUND") return new SmoothError("METHOD_NOT_FOUND", "no procedure has this name");
  if (code === "BAD_REQUEST" || code === "PARSE_ERROR") {
    return new SmoothError("INVALID_INPUT", "the request cannot be read");
  }
  return new SmoothError("INTERNAL", "something went wrong on our side", { cause: error });
}
