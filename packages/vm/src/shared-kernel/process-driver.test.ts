import { describe } from "vitest";
import { runVmContract } from "../driver.contract.ts";
import { sharedKernelOptions } from "../testing/shared-kernel.ts";
import { processDriver } from "./process-driver.ts";

describe("process driver", () => runVmContract(() => processDriver(sharedKernelOptions())));
