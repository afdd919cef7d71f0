"use client";
import { Empty, ErrorNote, Loading } from "@smooth/ui/controls";
import { PearlList } from "@smooth/ui/lists";
import { PageTitle } from "@smooth/ui/shell";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTRPC } from "~/trpc/client.tsx";
import { ButtonLink } from "./button-link.tsx";
import { useNow } from "./connection.tsx";
import { Filters } from "./filters.tsx";
import { Link } from "./frame.tsx";

const INPUT = { all: {}, ready: { ready: true }, closed: { status: "closed" } } as const;

export function Pearls({ show }: { readonly show: keyof typeof INPUT }): ReactNode {
  const trpc = useTRPC();
  const nowMs = useNow();
  const { data, error } = useQuery(trpc.pearls.list.queryOptions(INPUT[show]));
  return (
    <>
      <PageTitle aside={<ButtonLink href="/pearls/new">New pearl</ButtonLink>}>Pearls</PageTitle>
      <div className="mb-3">
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
      </div>
      {error && <ErrorNote>{error.message}</ErrorNote>}
      {!data && !error && <Loading what="pearls" />}
      {data?.pearls.length === 0 && (
        <Empty title="No pearls here" action={<ButtonLink href="/pearls/new">Create a pearl</ButtonLink>}>
          A pearl says what should be done, on which repository, and how to tell that it is done.
        </Empty>
      )}
      {data && data.pearls.length > 0 && (
        <PearlList pearls={data.pearls.map(({ pearl }) => pearl)} nowMs={nowMs} link={Link} />
      )}
    </>
  );
}
