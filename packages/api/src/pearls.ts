import type { Tx } from "@smooth/db/client";
import { checkLink, openBlockers, type PearlGraph, readyIds } from "@smooth/pearls/graph";
import { SmoothError } from "@smooth/protocol/errors";
import { mayUseRepo, type PearlDetail } from "@smooth/protocol/gateway";
import type { PearlId } from "@smooth/protocol/ids";
import type { Dependency, NewPearl, Pearl, PearlComment } from "@smooth/protocol/pearls";
import { audit } from "./audit.ts";
import { topics } from "./bus.ts";
import { commandHost, type CommandView, commandViewOf } from "./commands.ts";
import type { MemberContext } from "./context.ts";
import { chooseHost, hostViewOf, type HostView } from "./hosts.ts";
import { changeOf, commentOf, dependencyOf, freshPearl, pearlOf, type PearlRow } from "./rows.ts";
import { cardsOf, type RunCard } from "./runs.ts";

/** Pearls as the dashboard keeps them.
 *  P1. A pearl that lives on a host is changed by that host: the dashboard commands, and shows the change when the host reports it.
 *      What a host cannot refuse (a new pearl, a comment) is shown at once, under the id the host will use.
 *  P2. A pearl that lives nowhere yet is changed here, with its history.
 *  P3. Only an owner opens a folder of a host to operators: others create pearls where there is one already. */

export async function findPearl(tx: Tx, orgId: string, pearlId: string): Promise<PearlRow> {
  const row = await tx.pearl.findUnique({ where: { orgId_id: { orgId, id: pearlId } } });
  if (!row) throw new SmoothError("PEARL_NOT_FOUND", `no pearl ${pearlId}`, { details: { pearlId } });
  return row;
}

async function graphOf(tx: Tx, orgId: string): Promise<PearlGraph> {
  const [pearls, dependencies] = await Promise.all([
    tx.pearl.findMany({ where: { orgId }, select: { id: true, status: true } }),
    tx.dependency.findMany({ where: { orgId } }),
  ]);
  return {
    statuses: new Map(pearls.map(({ id, status }) => [id as PearlId, status])),
    dependencies: dependencies.map(dependencyOf),
  };
}

export async function blockersOf(tx: Tx, orgId: string, pearlId: string): Promise<PearlId[]> {
  return openBlockers(await graphOf(tx, orgId), pearlId as PearlId);
}

export interface PearlListing {
  readonly pearl: Pearl;
  readonly hostId: string | null;
  readonly ready: boolean;
}

export interface PearlFilter {
  readonly status?: Pearl["status"] | undefined;
  readonly ready: boolean;
  readonly text?: string | undefined;
  readonly limit: number;
}

export async function listPearls({ db, org }: MemberContext, filter: PearlFilter): Promise<PearlListing[]> {
  const ready = readyIds(await graphOf(db, org.id));
  const contains = filter.text && { contains: literal(filter.text), mode: "insensitive" as const };
  const rows = await db.pearl.findMany({
    where: {
      orgId: org.id,
      ...(filter.status && { status: filter.status }),
      ...(filter.ready && { id: { in: [...ready] } }),
      ...(contains && { OR: [{ title: contains }, { description: contains }, { id: contains }] }),
    },
    orderBy: [{ priority: "asc" }, { createdAtMs: "asc" }],
    take: filter.limit,
  });
  return rows.map((row) => ({ pearl: pearlOf(row), hostId: row.hostId, ready: ready.has(row.id as PearlId) }));
}

/** Prisma's `contains` is LIKE: `%` and `_` would match anything. */
const literal = (text: string): string => text.replaceAll(/[\\%_]/g, "\\$&");

export interface PearlPage extends Omit<PearlDetail, "runs"> {
  readonly host: HostView | null;
  readonly runs: readonly RunCard[];
  readonly commands: readonly CommandView[];
}

export async function pearlPage(ctx: MemberContext, pearlId: string): Promise<PearlPage> {
  const { db, org } = ctx;
  const row = await findPearl(db, org.id, pearlId);
  const own = { orgId: org.id, pearlId };
  const [comments, changes, dependencies, blockedBy, runs, commands, host] = await Promise.all([
    db.comment.findMany({ where: own, orderBy: { atMs: "asc" } }),
    db.change.findMany({ where: own, orderBy: { key: "asc" } }),
    db.dependency.findMany({ where: { orgId: org.id, OR: [{ fromId: pearlId }, { toId: pearlId }] } }),
    blockersOf(db, org.id, pearlId),
    db.run.findMany({ where: own, orderBy: { startedAtMs: "desc" }, take: 100 }),
    db.command.findMany({ where: own, orderBy: [{ issuedAtMs: "desc" }, { n: "desc" }], take: 50 }),
    row.hostId === null ? null : db.host.findUnique({ where: { id: row.hostId } }),
  ]);
  return {
    pearl: pearlOf(row),
    host: host && hostViewOf(host, ctx),
    comments: comments.map(commentOf),
    history: changes.map(changeOf),
    dependencies: dependencies.map(dependencyOf),
    blockedBy,
    runs: await cardsOf(ctx, runs),
    commands: commands.map(commandViewOf),
  };
}

/** `command` is null when no host had to be asked. */
type Written<T> = T & { readonly command: CommandView | null };

/** Without any host in the org the pearl waits here; it moves to a host when it is dispatched. */
export async function createPearl(
  ctx: MemberContext,
  { hostId, pearl: input }: { hostId?: string | undefined; pearl: NewPearl },
): Promise<Written<{ pearl: Pearl }>> {
  const { org, ids, clock, db } = ctx;
  const pearl = freshPearl(input, ids.next("th") as PearlId, clock.now());
  const hosted = hostId !== undefined || (await db.host.count({ where: { orgId: org.id, revokedAtMs: null } })) > 0;
  if (!hosted) {
    await refuseForeignRepo(ctx, null, pearl.repo);
    await actHere(ctx, `pearl.create ${pearl.id}`, async (tx) => {
      await tx.pearl.create({ data: { ...pearl, orgId: org.id } });
    });
    return { pearl, command: null };
  }
  const host = await chooseHost(ctx, hostId);
  await refuseForeignRepo(ctx, host.id, pearl.repo);
  const command = await commandHost(ctx, {
    hostId: host.id,
    body: { kind: "createPearl", pearlId: pearl.id, pearl: input },
    also: async (tx) => void (await tx.pearl.create({ data: { ...pearl, orgId: org.id, hostId: host.id } })),
  });
  return { pearl, command };
}

/** P3 */
async function refuseForeignRepo({ db, org, role }: MemberContext, hostId: string | null, repo: string): Promise<void> {
  const known = await db.pearl.count({ where: { orgId: org.id, hostId, repo } });
  if (mayUseRepo(role, known > 0)) return;
  throw new SmoothError("POLICY_DENIED", `no pearl is on ${repo} yet; an owner has to create the first one`, {
    details: { role, repo },
  });
}

export async function commentPearl(
  ctx: MemberContext,
  { pearlId, body }: { pearlId: PearlId; body: string },
): Promise<Written<{ comment: PearlComment }>> {
  const { db, org, user, ids, clock } = ctx;
  const { hostId } = await findPearl(db, org.id, pearlId);
  const comment = { id: ids.next("comment"), pearlId, author: user.name, body, atMs: clock.now() };
  const save = async (tx: Tx) => void (await tx.comment.create({ data: { ...comment, orgId: org.id } }));
  if (hostId === null) {
    await actHere(ctx, `pearl.comment ${pearlId}`, save);
    return { comment, command: null };
  }
  const order = { kind: "commentPearl", pearlId, commentId: comment.id, body } as const;
  return { comment, command: await commandHost(ctx, { hostId, body: order, also: save }) };
}

export async function closePearl(
  ctx: MemberContext,
  { pearlId, reason }: { pearlId: PearlId; reason: string },
): Promise<Written<{ pearl: Pearl }>> {
  const { db, org, user, clock } = ctx;
  const row = await findPearl(db, org.id, pearlId);
  if (row.status === "closed") throw new SmoothError("CONFLICT", `${pearlId} is already closed`);
  if (row.hostId !== null) {
    const command = await commandHost(ctx, { hostId: row.hostId, body: { kind: "closePearl", pearlId, reason } });
    return { pearl: pearlOf(row), command };
  }
  const atMs = clock.now();
  const own = { orgId: org.id, pearlId };
  const by = user.name;
  const closed = await actHere(ctx, `pearl.close ${pearlId}`, async (tx) => {
    await tx.change.create({
      data: { ...own, field: "status", before: `"${row.status}"`, after: '"closed"', by, atMs },
    });
    return tx.pearl.update({
      where: { orgId_id: { orgId: org.id, id: pearlId } },
      data: { status: "closed", closedAtMs: atMs, updatedAtMs: atMs },
    });
  });
  return { pearl: pearlOf(closed), command: null };
}

/** A link between pearls of one host is that host's; every other link is the dashboard's own. */
export async function addDependency(ctx: MemberContext, link: Dependency): Promise<Written<object>> {
  const { db, org } = ctx;
  const [from, to] = [await findPearl(db, org.id, link.from), await findPearl(db, org.id, link.to)];
  refuseBadLink(await graphOf(db, org.id), link);
  if (from.hostId !== null && from.hostId === to.hostId) {
    return {
      command: await commandHost(ctx, { hostId: from.hostId, body: { kind: "addDependency", dependency: link } }),
    };
  }
  const row = { orgId: org.id, fromId: link.from, toId: link.to, type: link.type };
  await actHere(ctx, `pearl.link ${link.from}`, async (tx) => {
    await tx.dependency.createMany({ data: [row], skipDuplicates: true });
  });
  return { command: null };
}

function refuseBadLink(graph: PearlGraph, link: Dependency): void {
  const verdict = checkLink(graph, link);
  if (verdict.kind === "self") throw new SmoothError("INVALID_INPUT", `${link.from} cannot depend on itself`);
  if (verdict.kind === "unknown") throw new SmoothError("PEARL_NOT_FOUND", `no pearl ${verdict.id}`);
  if (verdict.kind === "cycle") {
    const { path } = verdict;
    throw new SmoothError("PEARL_CYCLE", `this would close the cycle ${path.join(" → ")}`, { details: { path } });
  }
}

/** P2: one transaction with its audit entry, no host involved. */
async function actHere<T>(
  { db, org, user, clock, bus }: MemberContext,
  what: `${string} ${string}`,
  act: (tx: Tx) => Promise<T>,
): Promise<T> {
  const [action = "", subject = ""] = what.split(" ");
  const result = await db.$transaction(async (tx) => {
    const done = await act(tx);
    await audit(tx, { orgId: org.id, atMs: clock.now(), actor: user.email, action, subject });
    return done;
  });
  bus.publish(topics.org(org.id));
  return result;
}
