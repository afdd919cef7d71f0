import { openSqlite } from "@smooth/platform/node/sqlite";
import { blobsContract } from "@smooth/platform/testing/blobs-contract";
import { memoryBlobs } from "@smooth/platform/testing/blobs";
import { describe } from "vitest";
import { openMemoryStore } from "../store/memory.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import { runStoreContract } from "../store/store.contract.ts";
import { travelContract } from "../store/travel.contract.ts";
import { withBlobsContract } from "./blobs.contract.ts";
import { withBlobs } from "./with-blobs.ts";

const openSqliteHere = () => openSqliteStore(openSqlite(":memory:"));

describe("blobs in memory", () => blobsContract(memoryBlobs));
describe("a memory store with blobs", () => withBlobsContract(openMemoryStore));
describe("a SQLite store with blobs", () => {
  withBlobsContract(openSqliteHere);
  runStoreContract(() => withBlobs(openSqliteHere(), memoryBlobs()));
  travelContract(() => withBlobs(openSqliteHere(), memoryBlobs()));
});
