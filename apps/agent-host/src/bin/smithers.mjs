#!/usr/bin/env node
import { open } from "./door.mjs";

await open("smithers");
