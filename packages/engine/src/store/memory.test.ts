import { describe } from "vitest";
import { openMemoryStore } from "./memory.ts";
import { runStoreContract } from "./store.contract.ts";
import { travelContract } from "./travel.contract.ts";

describe("memory store", () => runStoreContract(openMemoryStore));
describe("memory store: time travel", () => travelContract(openMemoryStore));
