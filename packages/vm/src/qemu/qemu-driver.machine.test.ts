import { describe } from "vitest";
import { runVmContract } from "../driver.contract.ts";
import { sharedQemu } from "../testing/shared-qemu.ts";

describe("qemu driver", () => runVmContract(() => sharedQemu()));
