import type { AskSubject } from "./asks.ts";
import { assertNever } from "./errors.ts";

/** The exact action as a person reads it, the same words in the dashboard and in a terminal. */
export function actionText(subject: AskSubject): string {
  switch (subject.kind) {
    case "network":
      return `${subject.method} ${subject.host}:${subject.port}${subject.path ?? ""}`;
    case "tool":
      return `${subject.tool} ${subject.args}`;
    case "merge":
      return `merge into ${subject.branch} of ${subject.repo}\n${subject.files} files, +${subject.additions} −${subject.deletions}`;
    case "approval":
      return [subject.summary, subject.details, subject.patch].filter(Boolean).join("\n\n") || subject.title;
    default:
      return assertNever(subject);
  }
}
