import { describe } from "vitest";
import { openMemoryStore } from "./memory.ts";
import { runStoreContract } from "./store.contract.ts";

describe("memory store", () => runStoreContract(openMemoryStore));
