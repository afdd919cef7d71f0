"use client";
import { NewPearl } from "@smooth/protocol/pearls";
import { Button, ErrorNote, Field, INPUT } from "@smooth/ui/controls";
import { PageTitle } from "@smooth/ui/shell";
import { useMutation } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { type ReactNode, type SubmitEvent, useState } from "react";
import { useTRPC } from "~/trpc/client.tsx";

type Errors = Partial<Record<keyof NewPearl, string>>;

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
    const parsed = NewPearl.safeParse(valuesOf(new FormData(event.currentTarget)));
    if (parsed.success) return create.mutate({ pearl: parsed.data });
    setErrors(Object.fromEntries(parsed.error.issues.map(({ path, message }) => [path[0], message])));
  };
  return (
    <>
      <PageTitle>New pearl</PageTitle>
      <form onSubmit={submit} noValidate className="max-w-xl space-y-4">
        {create.error && <ErrorNote>{create.error.message}</ErrorNote>}
        <Field label="Title" error={errors.title} hint="What should be true afterwards, in one line.">
          {({ id, describedBy }) => <input id={id} name="title" aria-describedby={describedBy} className={INPUT} />}
        </Field>
        <Field
          label="Description"
          error={errors.description}
          hint="What the operator should know. Markdown, kept as you write it."
        >
          {({ id, describedBy }) => (
            <textarea id={id} name="description" rows={5} aria-describedby={describedBy} className={INPUT} />
          )}
        </Field>
        <Field label="Repository" error={errors.repo} hint="Absolute path of a git repository on the host.">
          {({ id, describedBy }) => (
            <input id={id} name="repo" aria-describedby={describedBy} className={`${INPUT} font-mono`} />
          )}
        </Field>
        <Field
          label="Verify command"
          error={errors.verify}
          hint="Its exit code decides whether the work is done. Found by itself when empty."
        >
          {({ id, describedBy }) => (
            <input
              id={id}
              name="verify"
              placeholder="npm test"
              aria-describedby={describedBy}
              className={`${INPUT} font-mono`}
            />
          )}
        </Field>
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label="Priority" error={errors.priority} hint="0 is most urgent.">
            {({ id, describedBy }) => (
              <select id={id} name="priority" defaultValue="2" aria-describedby={describedBy} className={INPUT}>
                {[0, 1, 2, 3, 4].map((level) => (
                  <option key={level}>{level}</option>
                ))}
              </select>
            )}
          </Field>
          <Field label="Budget" error={errors.budgetUsd} hint="US dollars; the governor stops before it is passed.">
            {({ id, describedBy }) => (
              <input
                id={id}
                name="budgetUsd"
                inputMode="decimal"
                placeholder="none"
                aria-describedby={describedBy}
                className={INPUT}
              />
            )}
          </Field>
        </div>
        <Button type="submit" tone="accent" busy={create.isPending}>
          Create pearl
        </Button>
      </form>
    </>
  );
}

function valuesOf(form: FormData): unknown {
  const text = (name: string): string => String(form.get(name) ?? "").trim();
  const orNull = (value: string): string | null => (value === "" ? null : value);
  const budget = text("budgetUsd");
  return {
    title: text("title"),
    description: String(form.get("description") ?? ""),
    repo: text("repo"),
    verify: orNull(text("verify")),
    priority: Number(text("priority")),
    budgetUsd: budget === "" ? null : Number(budget),
  };
}
