"use client";
import { HostId } from "@smooth/protocol/ids";
import { NewPearl, PearlType } from "@smooth/protocol/pearls";
import { Button, ErrorNote, Field, INPUT } from "@smooth/ui/controls";
import { PageTitle } from "@smooth/ui/shell";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { type ReactNode, type SubmitEvent, useState } from "react";
import { pearlsInput } from "~/queries.ts";
import { useTRPC } from "~/trpc/client.tsx";
import { useMay } from "./use-may.ts";

type Errors = Partial<Record<string, string>>;

/** Checked here with the very schema the API parses, so an error shows beside its field and nothing is sent. */
export function NewPearlForm(): ReactNode {
  const trpc = useTRPC();
  const router = useRouter();
  const [errors, setErrors] = useState<Errors>({});
  const create = useMutation(
    trpc.pearls.create.mutationOptions({ onSuccess: ({ pearl }) => router.push(`/pearls/${pearl.id}`) }),
  );
  const submit = (event: SubmitEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = event.currentTarget;
    const values = new FormData(form);
    const pearl = NewPearl.safeParse(valuesOf(values));
    const wrong = pearl.success ? [] : pearl.error.issues.map(({ path }) => String(path[0]));
    setErrors(Object.fromEntries(wrong.map((name) => [name, WRONG[name] ?? "This cannot be used."])));
    if (!pearl.success) return form.querySelector<HTMLElement>(`[name="${wrong[0]}"]`)?.focus();
    const hostId = HostId.safeParse(values.get("hostId")).data;
    create.mutate({ pearl: pearl.data, ...(hostId && { hostId }) });
  };
  return (
    <>
      <PageTitle>New pearl</PageTitle>
      <form onSubmit={submit} noValidate className="max-w-xl space-y-4">
        {create.error && <ErrorNote>{create.error.message}</ErrorNote>}
        <What errors={errors} />
        <Where errors={errors} />
        <How errors={errors} />
        <Button type="submit" tone="accent" busy={create.isPending}>
          Create pearl
        </Button>
      </form>
    </>
  );
}

const WRONG: Errors = {
  title: "Give it a title of 1 to 200 characters.",
  description: "At most 100,000 characters.",
  repo: "Name the repository, e.g. /home/you/project.",
  verify: "At most 2,000 characters.",
  priority: "A number from 0 to 4.",
  labels: "At most 20 labels of at most 50 characters.",
  budgetUsd: "An amount above 0 and at most 10,000, or nothing.",
};

interface PartProps {
  readonly errors: Errors;
}

function What({ errors }: PartProps): ReactNode {
  return (
    <>
      <Field label="Title" error={errors["title"]} hint="What should be true afterwards, in one line.">
        {(field) => <input {...field} name="title" className={INPUT} />}
      </Field>
      <Field
        label="Description"
        error={errors["description"]}
        hint="What the operator should know. Markdown, kept as you write it."
      >
        {(field) => <textarea {...field} name="description" rows={5} className={INPUT} />}
      </Field>
    </>
  );
}

/** Asks for the host only where there is a choice. */
function Where({ errors }: PartProps): ReactNode {
  const trpc = useTRPC();
  const { data } = useQuery(trpc.hosts.list.queryOptions());
  const { data: known } = useQuery(trpc.pearls.list.queryOptions(pearlsInput("all", "")));
  const may = useMay();
  const hosts = data?.hosts.filter(({ presence }) => presence.kind !== "revoked") ?? [];
  const repos = [...new Set(known?.pearls.map(({ pearl }) => pearl.repo))];
  return (
    <>
      {hosts.length > 1 && (
        <Field label="Host" hint="The machine that runs the operator.">
          {(field) => (
            <select {...field} name="hostId" className={INPUT}>
              {hosts.map(({ hostId, name, presence }) => (
                <option key={hostId} value={hostId}>
                  {name}
                  {presence.kind === "offline" && " (offline)"}
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
      <Field
        label="Repository"
        error={errors["repo"]}
        hint={
          may("host:admin")
            ? "Absolute path of a git repository on the host."
            : "One that a pearl is on already; an owner creates the first pearl of a repository."
        }
      >
        {(field) => (
          <input {...field} name="repo" list="repos" autoCapitalize="off" spellCheck={false} className={MONO} />
        )}
      </Field>
      <datalist id="repos">
        {repos.map((repo) => (
          <option key={repo} value={repo} />
        ))}
      </datalist>
      <Field
        label="Verify command"
        error={errors["verify"]}
        hint="Its exit code decides whether the work is done. Found by itself when empty."
      >
        {(field) => (
          <input
            {...field}
            name="verify"
            placeholder="npm test"
            autoCapitalize="off"
            spellCheck={false}
            className={MONO}
          />
        )}
      </Field>
    </>
  );
}

const MONO = `${INPUT} font-mono`;

function How({ errors }: PartProps): ReactNode {
  return (
    <div className="grid gap-4 sm:grid-cols-2">
      <Field label="Priority" error={errors["priority"]} hint="0 is most urgent.">
        {(field) => (
          <select {...field} name="priority" defaultValue="2" className={INPUT}>
            {[0, 1, 2, 3, 4].map((level) => (
              <option key={level}>{level}</option>
            ))}
          </select>
        )}
      </Field>
      <Field label="Type" hint="For people; the operator works the same.">
        {(field) => (
          <select {...field} name="type" defaultValue="task" className={INPUT}>
            {PearlType.options.map((type) => (
              <option key={type}>{type}</option>
            ))}
          </select>
        )}
      </Field>
      <Field label="Budget" error={errors["budgetUsd"]} hint="US dollars; the governor stops before it is passed.">
        {(field) => <input {...field} name="budgetUsd" inputMode="decimal" placeholder="none" className={INPUT} />}
      </Field>
      <Field label="Labels" error={errors["labels"]} hint="Separated by commas.">
        {(field) => <input {...field} name="labels" className={INPUT} />}
      </Field>
    </div>
  );
}

function valuesOf(form: FormData): Record<keyof NewPearl, unknown> {
  const text = (name: string): string => String(form.get(name) ?? "").trim();
  const orNull = (value: string): string | null => (value === "" ? null : value);
  const budget = text("budgetUsd");
  return {
    title: text("title"),
    description: String(form.get("description") ?? ""),
    repo: text("repo"),
    verify: orNull(text("verify")),
    priority: Number(text("priority")),
    type: text("type"),
    labels: text("labels")
      .split(/\s*,\s*/)
      .filter(Boolean),
    budgetUsd: budget === "" ? null : Number(budget),
  };
}
