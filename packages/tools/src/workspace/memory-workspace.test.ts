import { describe } from "vitest";
import { openMemoryWorkspace } from "./memory-workspace.ts";
import { runWorkspaceContract } from "./workspace.contract.ts";

describe("memory workspace", () => runWorkspaceContract(async (files) => openMemoryWorkspace(files)));
