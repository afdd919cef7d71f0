#!/usr/bin/env -S node --no-maglev --initial-old-space-size=64 --min-semi-space-size=4 --no-lazy
import { open } from "./door.mjs";

await open("smithers");
