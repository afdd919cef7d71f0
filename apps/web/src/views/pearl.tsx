"use client";
import type { PearlPage } from "@smooth/api/pearls";
import { PearlId } from "@smooth/protocol/ids";
import { Badge, Button, Card, ErrorNote, INPUT, Loading, SectionTitle } from "@smooth/ui/controls";
import { RunList } from "@smooth/ui/lists";
import { Markdown } from "@smooth/ui/markdown";
import { PearlBadge, PriorityBadge, When } from "@smooth/ui/status";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { type ReactNode, type SubmitEvent, useState } from "react";
import { useTRPC } from "~/trpc/client.tsx";
import { useNow } from "./connection.tsx";
import { Link } from "./frame.tsx";
import { useMay } from "./use-may.ts";

export function PearlView({ pearlId }: { readonly pearlId: PearlId }): ReactNode {
  const trpc = useTRPC();
  const nowMs = useNow();
  const { data, error } = useQuery(trpc.pearls.get.queryOptions({ pearlId }));
  if (error) return <ErrorNote>{error.message}</ErrorNote>;
  if (!data) return <Loading what="the pearl" />;
  return (
    <div className="space-y-8">
      <Head data={data} />
      {data.runs.length > 0 && (
        <section aria-label="Runs">
          <SectionTitle>Runs</SectionTitle>
          <RunList runs={data.runs} nowMs={nowMs} link={Link} hrefOf={(runId) => `/runs/${runId}`} />
        </section>
      )}
      <Dependencies data={data} />
      <Comments data={data} nowMs={nowMs} />
      <History data={data} nowMs={nowMs} />
    </div>
  );
}

function Head({ data: { pearl, runs, commands } }: { readonly data: PearlPage }): ReactNode {
  const trpc = useTRPC();
  const router = useRouter();
  const client = useQueryClient();
  const again = { onSettled: () => client.invalidateQueries() };
  const run = useMutation(
    trpc.runs.dispatch.mutationOptions({ ...again, onSuccess: ({ runId }) => router.push(`/runs/${runId}`) }),
  );
  const close = useMutation(trpc.pearls.close.mutationOptions(again));
  const may = useMay();
  const active = runs.some(
    ({ status }) => status === "queued" || status === "running" || status === "paused" || status === "waiting",
  );
  const failure = run.error ?? close.error;
  const refused = commands[0]?.error;
  return (
    <header className="space-y-3">
      <h1 className="text-xl font-semibold tracking-tight break-words">{pearl.title}</h1>
      <div className="flex flex-wrap items-center gap-2">
        <PearlBadge status={pearl.status} />
        <PriorityBadge priority={pearl.priority} />
        <Badge>{pearl.type}</Badge>
        {pearl.labels.map((label) => (
          <Badge key={label}>{label}</Badge>
        ))}
        {pearl.budgetUsd !== null && <Badge>budget ${pearl.budgetUsd}</Badge>}
        <code className="font-mono text-xs text-soft">{pearl.id}</code>
      </div>
      <p className="font-mono text-sm break-all text-soft">
        {pearl.repo}
        {pearl.verify && <span className="block">verify: {pearl.verify}</span>}
      </p>
      {pearl.description && <Markdown text={pearl.description} />}
      {pearl.status !== "closed" && (
        <div className="flex gap-2">
          {may("run:write") && (
            <Button
              tone="accent"
              busy={run.isPending}
              disabled={active}
              onClick={() => run.mutate({ pearlId: pearl.id })}
            >
              Run
            </Button>
          )}
          {may("pearl:write") && (
            <Button busy={close.isPending} onClick={() => close.mutate({ pearlId: pearl.id })}>
              Close
            </Button>
          )}
        </div>
      )}
      {failure && <ErrorNote>{failure.message}</ErrorNote>}
      {refused && <ErrorNote>The host said: {refused.message}</ErrorNote>}
    </header>
  );
}

function Dependencies({ data: { pearl, dependencies, blockedBy } }: { readonly data: PearlPage }): ReactNode {
  const trpc = useTRPC();
  const client = useQueryClient();
  const may = useMay();
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState<string | null>(null);
  const add = useMutation(
    trpc.pearls.addDependency.mutationOptions({
      onSuccess: () => setText(""),
      onSettled: () => client.invalidateQueries(),
    }),
  );
  const submit = (event: SubmitEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const to = PearlId.safeParse(text.trim());
    setWrong(to.success ? null : `“${text}” is no pearl id; it looks like th-01jcx2…`);
    if (to.success) add.mutate({ from: pearl.id, to: to.data, type: "blocks" });
  };
  const problem = wrong ?? add.error?.message;
  return (
    <section aria-label="Dependencies">
      <SectionTitle>Dependencies</SectionTitle>
      {dependencies.length > 0 && (
        <ul className="mb-3 space-y-1 text-sm">
          {dependencies.map(({ from, to, type }) => (
            <li key={`${from}${to}${type}`}>
              {from === pearl.id ? "needs" : "is needed by"}{" "}
              <Link
                href={`/pearls/${from === pearl.id ? to : from}`}
                className="font-mono text-accent underline underline-offset-2"
              >
                {from === pearl.id ? to : from}
              </Link>{" "}
              {from === pearl.id && blockedBy.includes(to) && <Badge tone="wait">● blocks</Badge>}
            </li>
          ))}
        </ul>
      )}
      {may("pearl:write") && (
        <form onSubmit={submit} className="flex max-w-xl gap-2">
          <input
            aria-label="Id of a pearl this one needs"
            placeholder="th-… this pearl needs"
            value={text}
            onChange={(event) => setText(event.target.value)}
            className={`${INPUT} font-mono`}
          />
          <Button type="submit" busy={add.isPending}>
            Add
          </Button>
        </form>
      )}
      {problem && <ErrorNote>{problem}</ErrorNote>}
    </section>
  );
}

function Comments({
  data: { pearl, comments },
  nowMs,
}: {
  readonly data: PearlPage;
  readonly nowMs: number;
}): ReactNode {
  const trpc = useTRPC();
  const client = useQueryClient();
  const may = useMay();
  const [body, setBody] = useState("");
  const add = useMutation(
    trpc.pearls.comment.mutationOptions({ onSuccess: () => setBody(""), onSettled: () => client.invalidateQueries() }),
  );
  return (
    <section aria-label="Comments">
      <SectionTitle>Comments</SectionTitle>
      <ul className="mb-3 space-y-3">
        {comments.map((comment) => (
          <li key={comment.id} className="max-w-prose text-sm">
            <p className="text-soft">
              {comment.author} · <When atMs={comment.atMs} nowMs={nowMs} />
            </p>
            <Markdown text={comment.body} />
          </li>
        ))}
      </ul>
      {may("pearl:write") && (
        <form
          className="flex max-w-xl gap-2"
          onSubmit={(event) => {
            event.preventDefault();
            if (body.trim() !== "") add.mutate({ pearlId: pearl.id, body });
          }}
        >
          <input
            aria-label="Comment"
            placeholder="Add a comment"
            value={body}
            onChange={(event) => setBody(event.target.value)}
            className={INPUT}
          />
          <Button type="submit" busy={add.isPending}>
            Comment
          </Button>
        </form>
      )}
      {add.error && <ErrorNote>{add.error.message}</ErrorNote>}
    </section>
  );
}

function History({ data: { history }, nowMs }: { readonly data: PearlPage; readonly nowMs: number }): ReactNode {
  if (history.length === 0) return null;
  return (
    <section aria-label="History">
      <SectionTitle>History</SectionTitle>
      <Card>
        <ul className="divide-y divide-line">
          {history.map((change) => (
            <li key={`${change.field}${change.atMs}`} className="flex flex-wrap items-center gap-x-2 px-4 py-2 text-sm">
              <span className="font-medium">{change.field}</span>
              <span className="min-w-0 font-mono text-xs break-all text-soft">
                {plain(change.before)} → {plain(change.after)}
              </span>
              <span className="ml-auto text-soft">
                {change.by} · <When atMs={change.atMs} nowMs={nowMs} />
              </span>
            </li>
          ))}
        </ul>
      </Card>
    </section>
  );
}

/** Values are kept as JSON text. */
const plain = (value: string | null): string => (value === null ? "nothing" : value.replace(/^"(.*)"$/, "$1"));
