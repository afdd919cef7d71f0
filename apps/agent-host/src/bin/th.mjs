#!/usr/bin/env -S node --no-maglev --initial-old-space-size=64
import { open } from "./door.mjs";

await open("th");
