/** When something loaded React's development build before us, the reconciler has to be of the same build: slower, but whole. */
import * as React from "react";
import { restoreNodeEnv } from "./react-production-begin.ts";

if ("act" in React && typeof React.act === "function") restoreNodeEnv();
