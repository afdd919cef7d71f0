import type { DiffFile } from "@smooth/protocol/run-events";
import { clsx } from "clsx";
import type { ReactNode } from "react";
import { Badge, Empty } from "./controls.tsx";

/** Changed lines; above, the files come folded. */
const FOLD_ABOVE = 2_000;

/** What the run changed, file by file, unified. */
export function Diff({ files }: { readonly files: readonly DiffFile[] | null }): ReactNode {
  if (files === null) return <Empty title="No diff yet">It appears when the governor stops the operator.</Empty>;
  if (files.length === 0) return <Empty title="Nothing changed">The operator left the repository as it was.</Empty>;
  const sum = (key: "additions" | "deletions"): number => files.reduce((total, file) => total + file[key], 0);
  const lines = sum("additions") + sum("deletions");
  return (
    <div className="space-y-3">
      <p className="text-sm text-soft">
        {files.length === 1 ? "1 file" : `${files.length} files`},{" "}
        <span className="text-good">+{sum("additions")}</span> <span className="text-bad">−{sum("deletions")}</span>
      </p>
      {files.map((file) => (
        <File key={file.path} file={file} open={lines <= FOLD_ABOVE} />
      ))}
    </div>
  );
}

function File({ file, open }: { readonly file: DiffFile; readonly open: boolean }): ReactNode {
  return (
    <details open={open} className="far-away overflow-hidden rounded-lg border border-line bg-surface">
      <summary className="flex min-h-11 cursor-pointer list-none items-center gap-2 px-3 text-sm sm:min-h-9">
        <span className="min-w-0 flex-1 truncate font-mono text-xs">{file.path}</span>
        {file.status !== "modified" && <Badge tone={file.status === "added" ? "good" : "bad"}>{file.status}</Badge>}
        <span className="font-mono text-xs text-good">+{file.additions}</span>
        <span className="font-mono text-xs text-bad">−{file.deletions}</span>
      </summary>
      <pre
        tabIndex={0}
        aria-label={`Changes of ${file.path}`}
        className="overflow-x-auto border-t border-line py-1 font-mono text-xs leading-5"
      >
        {file.binary ? (
          <span className="px-3 text-soft">binary file</span>
        ) : (
          hunksOf(file.patch).map((line, at) => <Row key={at} line={line} />)
        )}
      </pre>
    </details>
  );
}

/** Without git's header, whose facts stand in the summary. */
function hunksOf(patch: string): string[] {
  const lines = patch.split("\n");
  const first = lines.findIndex((line) => line.startsWith("@@"));
  return first < 0 ? [] : lines.slice(first, lines.at(-1) === "" ? -1 : undefined);
}

function Row({ line }: { readonly line: string }): ReactNode {
  return (
    <span
      className={clsx(
        "block w-max min-w-full px-3",
        line.startsWith("+") && "bg-good-soft text-good",
        line.startsWith("-") && "bg-bad-soft text-bad",
        line.startsWith("@@") && "bg-sunken text-soft",
      )}
    >
      {line || " "}
    </span>
  );
}
