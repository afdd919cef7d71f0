import { describe } from "vitest";
import { runVmContract } from "../driver.contract.ts";
import { sharedKernelOptions } from "../testing/shared-kernel.ts";
import { bubblewrapDriver } from "./bubblewrap-driver.ts";

describe("bubblewrap driver", () => runVmContract(() => bubblewrapDriver(sharedKernelOptions())));
