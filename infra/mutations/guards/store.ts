/** The stores. */
import type { GuardedFile } from "../guard.ts";
import { WORKFLOW, ENGINE, PLATFORM } from "../rooms.ts";

export const STORE_GUARDS: readonly GuardedFile[] = [
  {
    file: `${PLATFORM}/node/sqlite.node.ts`,
    guards: [
      {
        id: "store S1 one transaction",
        text: "if (depth > 0) return body();",
        instead: "if (depth >= 0) return body();",
        test: [
          `${WORKFLOW}/faults/wal-cut.machine.test.ts`,
          "S1, S5: cut at any ${CUT_BYTES} bytes the log holds whole commits, and the run ends the same, no recorded step repeated",
        ],
      },
      {
        id: "store S5 full sync",
        text: `synchronous = "FULL", busy`,
        instead: `synchronous = "NORMAL", busy`,
        test: [
          `${PLATFORM}/node/sqlite.test.ts`,
          "a commit is synced before it counts, unless its opener asks for less",
        ],
      },
      {
        id: "store S1 rollback",
        text: `if (db.isTransaction) db.exec("ROLLBACK");`,
        instead: "",
        test: [
          `${PLATFORM}/node/sqlite.test.ts`,
          "a transaction whose body throws leaves nothing, and the next one is its own",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/store/sqlite.ts`,
    guards: [
      {
        id: "store S2 beat",
        text: `heartbeat_at_ms = ? WHERE run_id = ? AND epoch = ? AND owner IS NOT NULL";`,
        instead: `heartbeat_at_ms = ? WHERE run_id = ? AND epoch >= ? - 99";`,
        test: [`${ENGINE}/store/sqlite.test.ts`, "S2: after a claim the old owner's writes are refused whole"],
      },
      {
        id: "store Q1",
        text: "if (this.#waiting.length === 1) void this.#flush();",
        instead: "void this.#flush();",
        test: [`${ENGINE}/store/sqlite.test.ts`, "Q1: batches of one tick share one transaction"],
      },
      {
        id: "signals over",
        text: `if (row["is_over"] === 1) return "over";
      append`,
        instead: "append",
        test: [
          `${ENGINE}/store/sqlite.test.ts`,
          "what is posted from outside is an event, and makes a suspended run due; a run that is over takes no more",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/store/sqlite-commit.ts`,
    guards: [
      {
        id: "store S2 commit",
        text: "AND epoch = ?2 AND owner IS NOT NULL`",
        instead: "AND epoch >= ?2`",
        test: [`${ENGINE}/store/sqlite.test.ts`, "S2: after a claim the old owner's writes are refused whole"],
      },
      {
        id: "store S2 owner",
        text: "AND epoch = ?2 AND owner IS NOT NULL`",
        instead: "AND epoch = ?2`",
        test: [`${ENGINE}/store/sqlite.test.ts`, "a released run has no owner and refuses its old owner"],
      },
      {
        id: "store S2 claim",
        text: `error = NULL WHERE run_id = ? AND epoch = ?"`,
        instead: `error = NULL WHERE run_id = ? AND epoch >= ?"`,
        test: [`${ENGINE}/store/sqlite.test.ts`, "S2: of two claims of the same epoch one wins"],
      },
      {
        id: "store S6 unseen",
        text: `news === "wakes" ? atMs : status.wakeAtMs; // S6`,
        instead: "status.wakeAtMs;",
        test: [
          `${ENGINE}/store/sqlite.test.ts`,
          "S6: a decision makes a suspended run due, and one that its owner has not seen does too",
        ],
      },
      {
        id: "store S9",
        text: `if (news === "behind") return { kind: "behind" }; // S9`,
        instead: "",
        test: [`${ENGINE}/store/sqlite.test.ts`, "S9: a run is not %s by an owner that has not heard of %s"],
      },
      {
        id: "store S7 end",
        text: "if (OVER.has(status.status)) voidApprovals(sql, runId); // S7",
        instead: "",
        test: [
          `${ENGINE}/store/sqlite.test.ts`,
          "S7: a voided approval is not open and takes no decision, and the end of a run voids all that are open",
        ],
      },
      {
        id: "store S8",
        text: "if (batch.successor) createSuccessor(sql, batch.successor);",
        instead: "",
        test: [
          `${ENGINE}/store/sqlite.test.ts`,
          "S8: a run that continues as new ends and has its successor in one step; the successor knows where it comes from",
        ],
      },
      {
        id: "store Q2",
        text: `if (!owned) return { kind: "stale" }; // Q2`,
        instead: `if (!owned) throw new Error("stale");`,
        test: [`${ENGINE}/store/sqlite.test.ts`, "S2: after a claim the old owner's writes are refused whole"],
      },
      {
        id: "cache K1",
        text: `if (!owned) return { kind: "stale" }; // Q2`,
        instead: `if (!owned) {
    writeCache(sql, batch);
    return { kind: "stale" };
  }`,
        test: [
          `${ENGINE}/store/sqlite.test.ts`,
          "K1, K2: a cache entry is written with its commit, the newest stays, and a stale commit leaves none",
        ],
      },
      {
        id: "resume M2 consent",
        text: "if (accepted) writeMetadata(sql, runId, accepted.metadata);",
        instead: "",
        test: [`${ENGINE}/store/sqlite.test.ts`, "M2: what was accepted with a claim is recorded with it"],
      },
    ],
  },
  {
    file: `${ENGINE}/store/sqlite-requests.ts`,
    guards: [
      {
        id: "store S4",
        text: `if (row["decided_by"] !== null)`,
        instead: "if (false)",
        test: [
          `${ENGINE}/store/sqlite.test.ts`,
          "S4: an approval is decided once, and who was second learns who was first",
        ],
      },
      {
        id: "store S7 void",
        text: `if (row["voided"] === 1) return { kind: "void" };`,
        instead: "",
        test: [
          `${ENGINE}/store/sqlite.test.ts`,
          "S7: a voided approval is not open and takes no decision, and the end of a run voids all that are open",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/store/sqlite-rows.ts`,
    guards: [
      {
        id: "store S3",
        text: 'INSERT INTO ${quoted(table.name)} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")}) ON CONFLICT DO NOTHING',
        instead:
          'INSERT OR REPLACE INTO ${quoted(table.name)} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})',
        test: [`${ENGINE}/store/sqlite.test.ts`, "S3: the first output row of a node stays"],
      },
      {
        id: "store S6 outside",
        text: `sql.run("UPDATE _smithers_runs SET wake_at_ms = ? WHERE run_id = ? AND owner IS NULL", [atMs, runId]);`,
        instead: "",
        test: [
          `${ENGINE}/store/sqlite.test.ts`,
          "S6: a decision makes a suspended run due, and one that its owner has not seen does too",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/store/port.ts`,
    guards: [
      {
        id: "resume M2 event",
        text: "...(accepted ? [{",
        instead: "...(false ? [{",
        test: [`${ENGINE}/store/sqlite.test.ts`, "M2: what was accepted with a claim is recorded with it"],
      },
      {
        id: "store S6 cancel",
        text: "lastSeq <= seenSeq && (ends || !isCancelWanted())",
        instead: "lastSeq <= seenSeq",
        test: [
          `${ENGINE}/store/sqlite.test.ts`,
          "S6: a cancellation that a suspending owner has not heard of makes its run due",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/store/unavailable.ts`,
    guards: [
      {
        id: "store lock wait",
        text: `5: "lock", 6: "lock", `,
        instead: "",
        test: [
          `${WORKFLOW}/faults/no-writes.machine.test.ts`,
          "a write lock that another process holds is waited for: the run goes on after it, and no body runs twice",
        ],
      },
      {
        id: "store disk wait",
        text: `10: "disk", 13: "disk"`,
        instead: "",
        test: [
          `${WORKFLOW}/faults/no-writes.machine.test.ts`,
          "parks the run where a write fails, and it goes on when there is room: nothing lost, nothing repeated",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/store/memory.ts`,
    guards: [
      {
        id: "memory store S2",
        text: `if (!run) return { kind: "stale" };`,
        instead: `if (!run) throw new Error("stale");`,
        test: [`${ENGINE}/store/memory.test.ts`, "S2: after a claim the old owner's writes are refused whole"],
      },
      {
        id: "memory store S9",
        text: `if (newsFor(run, batch) === "behind") return { kind: "behind" }; // S9`,
        instead: "",
        test: [`${ENGINE}/store/memory.test.ts`, "S9: a run is not %s by an owner that has not heard of %s"],
      },
      {
        id: "memory store S6",
        text: `news === "wakes" ? batch.atMs : wakeAtMs }); // S6`,
        instead: "wakeAtMs });",
        test: [
          `${ENGINE}/store/memory.test.ts`,
          "S6: a decision makes a suspended run due, and one that its owner has not seen does too",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/store/postgres-commit.ts`,
    guards: [
      {
        id: "postgres S2",
        text: "AND r.epoch = p.epoch AND r.owner IS NOT NULL",
        instead: "",
        test: [
          `${ENGINE}/store/postgres.machine.test.ts`,
          "S2: after a claim the old owner's writes are refused whole",
        ],
      },
      {
        id: "postgres S6",
        text: "WHEN r.last_seq > p.seen_seq THEN p.at_ms",
        instead: "",
        test: [
          `${ENGINE}/store/postgres.machine.test.ts`,
          "S6: a decision makes a suspended run due, and one that its owner has not seen does too",
        ],
      },
      {
        id: "postgres S6 cancel",
        text: "WHEN r.cancel_requested_by IS NOT NULL AND p.status NOT IN (${quotedList(OVER)}) THEN p.at_ms ",
        instead: "",
        test: [
          `${ENGINE}/store/postgres.machine.test.ts`,
          "S6: a cancellation that a suspending owner has not heard of makes its run due",
        ],
      },
      {
        id: "postgres S9",
        text: " AND ${HEARD}",
        instead: "",
        test: [`${ENGINE}/store/postgres.machine.test.ts`, "S9: a run is not %s by an owner that has not heard of %s"],
      },
      {
        id: "postgres S7",
        text: "voided: (batches) => [voided(batches), voidedRuns(batches)],",
        instead: "voided: (batches) => [voided(batches)],",
        test: [
          `${ENGINE}/store/postgres.machine.test.ts`,
          "S7: a voided approval is not open and takes no decision, and the end of a run voids all that are open",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/store/postgres-schema.ts`,
    guards: [
      {
        id: "postgres G1",
        text: `await query("SELECT pg_advisory_xact_lock($1)", [LOCK]); // G1`,
        instead: "",
        test: [
          `${ENGINE}/store/postgres.machine.test.ts`,
          "G1: workers that open one database at the same time define its tables once",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/store/sqlite-travel.ts`,
    guards: [
      {
        id: "travel Y1 epoch",
        text: "wake_at_ms = NULL WHERE run_id = ? AND epoch = ?`",
        instead: "wake_at_ms = NULL WHERE run_id = ? AND epoch >= ? - 99`",
        test: [`${ENGINE}/store/sqlite.test.ts`, "Y1: a reset decided on an older epoch changes nothing"],
      },
      {
        id: "travel Y1 new epoch",
        text: "SET epoch = epoch + 1, owner = NULL, status = ?",
        instead: "SET owner = NULL, status = ?",
        test: [
          `${ENGINE}/store/sqlite.test.ts`,
          "Y1: a reset takes the rows of its nodes and of no other, under a new epoch, without an owner",
        ],
      },
      {
        id: "travel Y2",
        text: `sql.run("INSERT INTO _smithers_archive VALUES (?, ?, ?, ?, ?, ?)", row);`,
        instead: "void row;",
        test: [`${ENGINE}/store/sqlite.test.ts`, "Y2: the archive keeps what was reset, each time anew"],
      },
      {
        id: "travel forget over",
        text: "runIds.filter((id) => sql.get(over, [id]))",
        instead: "runIds.filter(() => over)",
        test: [`${ENGINE}/store/sqlite.test.ts`, "a forgotten run leaves nothing; one that is not over is left alone"],
      },
    ],
  },
];
