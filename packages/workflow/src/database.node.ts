/** What SQLite refuses when a database is opened (no database, a damaged one, one of another program) names the file. Nothing was
 *  written to it by then. */
import { SmoothError } from "@smooth/protocol/errors";

/** Any other error is given back as it is. */
export function databaseProblem(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || (error as NodeJS.ErrnoException).code !== "ERR_SQLITE_ERROR") return error;
  const wayOut = "put a copy of it back, or move it away to begin without its runs";
  return new SmoothError("CONFIG_INVALID", `${path} is not a database this can use (${error.message}); ${wayOut}`, {
    cause: error,
  });
}
