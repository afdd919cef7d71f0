"use client";
import { Empty, ErrorNote, INPUT, Loading } from "@smooth/ui/controls";
import { PearlList } from "@smooth/ui/lists";
import { PageTitle } from "@smooth/ui/shell";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { type PearlFilter, pearlsInput } from "~/queries.ts";
import { useTRPC } from "~/trpc/client.tsx";
import { ButtonLink } from "./button-link.tsx";
import { useNow } from "./connection.tsx";
import { Filters } from "./filters.tsx";
import { Link } from "./frame.tsx";
import { useMay } from "./use-may.ts";

interface PearlsProps {
  readonly show: PearlFilter;
  /** Words to look for; empty looks for nothing. */
  readonly text: string;
}

export function Pearls({ show, text }: PearlsProps): ReactNode {
  const trpc = useTRPC();
  const nowMs = useNow();
  const may = useMay();
  const { data, error } = useQuery(trpc.pearls.list.queryOptions(pearlsInput(show, text)));
  return (
    <>
      <PageTitle aside={may("pearl:write") && <ButtonLink href="/pearls/new">New pearl</ButtonLink>}>Pearls</PageTitle>
      <div className="mb-3 flex flex-wrap items-center justify-between gap-2">
        <Filters
          path="/pearls"
          name="show"
          current={show}
          options={[
            ["all", "All"],
            ["ready", "Ready"],
            ["closed", "Closed"],
          ]}
        />
        <form action="/pearls" role="search" className="w-full sm:w-64">
          <input type="hidden" name="show" value={show} />
          <input
            key={text}
            type="search"
            name="text"
            defaultValue={text}
            aria-label="Search pearls"
            placeholder="Search…"
            maxLength={200}
            className={INPUT}
          />
        </form>
      </div>
      {error && <ErrorNote>{error.message}</ErrorNote>}
      {!data && !error && <Loading what="pearls" />}
      {data?.pearls.length === 0 && (
        <Empty
          title="No pearls here"
          action={may("pearl:write") && <ButtonLink href="/pearls/new">Create a pearl</ButtonLink>}
        >
          A pearl says what should be done, on which repository, and how to tell that it is done.
        </Empty>
      )}
      {data && data.pearls.length > 0 && (
        <PearlList pearls={data.pearls.map(({ pearl }) => pearl)} nowMs={nowMs} link={Link} />
      )}
    </>
  );
}
